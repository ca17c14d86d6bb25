// Which CPUs are near which memory, and who gets which part of the work because of it. With one node, as on most
// machines, all of this says "everything" and nothing is pinned or placed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace td {

// A memory node and the CPUs that this thread may use and to which no other node with memory is nearer.
struct NumaNode {
  int id;                 // the system's number of it
  std::vector<int> cpus;  // ascending, never empty
};

struct Topology {
  std::vector<NumaNode> nodes;  // ascending by id; none: unknown, and treated as one

  // Reads sys/devices/system/node and proc/thread-self/status below `root`: the CPUs and memory nodes that the cgroup
  // and the process's own affinity allow. What cannot be read, or makes no sense, leaves the machine one node.
  static Topology read(const std::string& root = "/");
};

// The CPUs or nodes of a list as the kernel writes it ("0-3,8,10-11"), ascending; empty if it is not one.
std::vector<int> parseCpuList(const std::string& text);

struct ChunkRange {
  int64_t first, last;  // last: one behind
  bool operator==(const ChunkRange&) const = default;
};

// How many of a pool's threads are at home at each node, and therefore how work is cut: each node's part is one
// contiguous range, in proportion to its threads. The parts of all nodes, in order, are the whole.
class NodeShares {
 public:
  // As many threads per node as its CPUs are of all, by largest remainder. Nodes without any are left out.
  NodeShares(const Topology& topology, int threads);

  int nodes() const { return static_cast<int>(homes_.size()); }
  int threads(int node) const { return before_[static_cast<size_t>(node) + 1] - before_[static_cast<size_t>(node)]; }
  const NumaNode& home(int node) const { return homes_[static_cast<size_t>(node)]; }
  // The node of a worker: the first threads are at the first node.
  int nodeOf(int worker) const;
  // The node that a CPU belongs to; the first where none has it.
  int nodeOfCpu(int cpu) const;
  ChunkRange part(int64_t items, int node) const;

 private:
  std::vector<NumaNode> homes_;
  std::vector<int> before_;  // threads of the nodes before this one; one more for the total
};

}  // namespace td
