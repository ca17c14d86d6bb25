// Topologies that this machine does not have, read from folders like the kernel's; how threads and work are cut by
// them.
#include "core/topology.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <numeric>

#include "core/thread_pool.h"
#include "made_up_topology.h"
#include "testing.h"

namespace td::testing {
namespace {

using Cpus = std::vector<int>;
namespace fs = std::filesystem;

// A root folder with the files that Topology::read() looks at.
class FakeMachine {
 public:
  FakeMachine() {
    std::string name = (fs::temp_directory_path() / "tandem-topology-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder " + name);
    root_ = name;
  }
  ~FakeMachine() { fs::remove_all(root_); }
  FakeMachine(const FakeMachine&) = delete;
  FakeMachine& operator=(const FakeMachine&) = delete;

  void nodes(const std::string& online, const std::string& withMemory) {
    write("sys/devices/system/node/online", online);
    write("sys/devices/system/node/has_memory", withMemory);
  }
  void node(int id, const std::string& cpus, const std::string& distances) {
    const std::string folder = "sys/devices/system/node/node" + std::to_string(id) + "/";
    write(folder + "cpulist", cpus);
    write(folder + "distance", distances);
  }
  void allowed(const std::string& cpus, const std::string& memory) {
    write("proc/thread-self/status", "Name:\ttandem\nCpus_allowed:\tff\nCpus_allowed_list:\t" + cpus +
                                         "\nMems_allowed:\t3\nMems_allowed_list:\t" + memory + "\nThreads:\t1");
  }
  Topology read() const { return Topology::read(root_.string()); }

 private:
  void write(const std::string& path, const std::string& line) const {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << line << '\n';
  }

  fs::path root_;
};

// "0: 0 1 | 1: 2 3"
std::string text(const Topology& topology) {
  std::string all;
  for (const NumaNode& node : topology.nodes) {
    if (!all.empty()) all += " | ";
    all += std::to_string(node.id) + ":";
    for (const int cpu : node.cpus) all.append(" ").append(std::to_string(cpu));
  }
  return all;
}

TEST(CpuList, IsReadAsTheKernelWritesIt) {
  EXPECT_EQ((Cpus{0, 1, 2, 3, 8, 10, 11}), parseCpuList("0-3,8,10-11"));
  EXPECT_EQ((Cpus{5}), parseCpuList("5\n"));
  EXPECT_EQ((Cpus{1, 2, 3}), parseCpuList("2-3,1-2"));
  for (const char* none : {"", "\n", "a", "1-", "-1", "3-1", "1,,2", "1-2-3", "1 2", "0-99999999", "99999999999999"}) {
    EXPECT_EQ(Cpus{}, parseCpuList(none)) << none;
  }
}

TEST(TopologyRead, OneNode) {
  FakeMachine machine;
  machine.nodes("0", "0");
  machine.node(0, "0-3", "10");
  machine.allowed("0-3", "0");
  EXPECT_EQ("0: 0 1 2 3", text(machine.read()));
}

TEST(TopologyRead, TwoNodesWithInterleavedCpus) {
  FakeMachine machine;
  machine.nodes("0-1", "0-1");
  machine.node(0, "0,2,4,6", "10 21");
  machine.node(1, "1,3,5,7", "21 10");
  machine.allowed("0-7", "0-1");
  EXPECT_EQ("0: 0 2 4 6 | 1: 1 3 5 7", text(machine.read()));
}

TEST(TopologyRead, FourNodesOfWhichTheCgroupAllowsParts) {
  FakeMachine machine;
  machine.nodes("0-3", "0-3");
  for (int id = 0; id < 4; ++id) {
    machine.node(id, std::to_string(4 * id) + "-" + std::to_string(4 * id + 3), "10 20 20 20");
  }
  machine.allowed("2-5,12", "0-3");
  EXPECT_EQ("0: 2 3 | 1: 4 5 | 3: 12", text(machine.read())) << "node 2 has no allowed CPU";
}

// The distances' columns are the online nodes.
TEST(TopologyRead, CpusOfANodeWithoutMemoryGoToTheNearest) {
  FakeMachine machine;
  machine.nodes("0,2-3", "0,3");
  machine.node(0, "0-1", "10 40 30");
  machine.node(2, "2-3", "40 10 20");
  machine.node(3, "4-5", "30 20 10");
  machine.allowed("0-5", "0,2-3");
  EXPECT_EQ("0: 0 1 | 3: 2 3 4 5", text(machine.read()));
}

TEST(TopologyRead, MemoryThatTheCgroupForbidsIsNone) {
  FakeMachine machine;
  machine.nodes("0-1", "0-1");
  machine.node(0, "0-1", "10 20");
  machine.node(1, "2-3", "20 10");
  machine.allowed("0-3", "1");
  EXPECT_EQ("1: 0 1 2 3", text(machine.read()));
}

TEST(TopologyRead, NodesWithMemoryAlone) {
  FakeMachine machine;
  machine.nodes("0-1", "0-1");
  machine.node(0, "0-3", "10 17");
  machine.node(1, "", "17 10");  // as memory expanders show themselves
  machine.allowed("0-3", "0-1");
  EXPECT_EQ("0: 0 1 2 3", text(machine.read()));
}

TEST(TopologyRead, OfflineCpusAndNodesAreNotThere) {
  FakeMachine machine;
  machine.nodes("0", "0-1");
  machine.node(0, "0,3", "10");  // 1 and 2 are offline: cpulist leaves them out
  machine.node(1, "4-7", "10");
  machine.allowed("0-7", "0-1");
  EXPECT_EQ("0: 0 3", text(machine.read()));
}

TEST(TopologyRead, WhatMakesNoSenseIsOneNode) {
  FakeMachine machine;
  EXPECT_EQ("", text(machine.read())) << "no files";
  machine.nodes("0-1", "garbage");
  EXPECT_EQ("", text(machine.read()));
  machine.nodes("0-1", "0-1");
  EXPECT_EQ("", text(machine.read())) << "no CPU is known to be allowed";
  machine.allowed("0-3", "0-1");
  EXPECT_EQ("", text(machine.read())) << "nodes without CPUs";
  machine.node(0, "0-1", "");  // no distances: its own memory is still the nearest
  machine.node(1, "2-3", "x y");
  EXPECT_EQ("0: 0 1 | 1: 2 3", text(machine.read()));
  EXPECT_EQ(1, NodeShares(Topology{}, 5).nodes());
}

TEST(TopologyRead, ThisMachine) {
  const Topology topology = Topology::read();
  EXPECT_FALSE(topology.nodes.empty());
  for (const NumaNode& node : topology.nodes) EXPECT_FALSE(node.cpus.empty());
}

std::vector<int> threadsOf(const NodeShares& shares) {
  std::vector<int> threads;
  for (int node = 0; node < shares.nodes(); ++node) threads.push_back(shares.threads(node));
  return threads;
}

TEST(Shares, ThreadsAreAsTheCpus) {
  EXPECT_EQ((Cpus{7}), threadsOf(NodeShares(withCpus({4}), 7)));
  EXPECT_EQ((Cpus{4, 4}), threadsOf(NodeShares(withCpus({8, 8}), 8)));
  EXPECT_EQ((Cpus{3, 2}), threadsOf(NodeShares(withCpus({8, 8}), 5)));
  EXPECT_EQ((Cpus{6, 2}), threadsOf(NodeShares(withCpus({12, 4}), 8)));
  EXPECT_EQ((Cpus{2, 2, 2, 2}), threadsOf(NodeShares(withCpus({2, 2, 2, 2}), 8)));
  const NodeShares one(withCpus({2, 6}), 1);
  EXPECT_EQ((Cpus{1}), threadsOf(one)) << "the node of most CPUs alone";
  EXPECT_EQ(1, one.home(0).id);
}

TEST(Shares, WorkersAndCpusHaveTheirNodes) {
  const NodeShares shares(withCpus({4, 2}), 3);
  EXPECT_EQ((Cpus{2, 1}), threadsOf(shares));
  EXPECT_EQ(0, shares.nodeOf(0));
  EXPECT_EQ(0, shares.nodeOf(1));
  EXPECT_EQ(1, shares.nodeOf(2));
  EXPECT_EQ(0, shares.nodeOfCpu(3));
  EXPECT_EQ(1, shares.nodeOfCpu(4));
  EXPECT_EQ(0, shares.nodeOfCpu(77));
}

TEST(Shares, PartsAreTheWholeInOrderAndInProportion) {
  for (int round = 0; round < rounds(2000); ++round) {
    SCOPED_TRACE(caseOf(static_cast<uint64_t>(round)));
    Random random("shares", static_cast<uint64_t>(round));
    std::vector<int> cpus(static_cast<size_t>(random.integer(1, 8)));
    for (int& count : cpus) count = random.integer(1, 64);
    const int threads = random.integer(1, 128);
    const NodeShares shares(withCpus(cpus), threads);
    const std::vector<int> counts = threadsOf(shares);
    ASSERT_EQ(threads, std::accumulate(counts.begin(), counts.end(), 0));
    for (int worker = 0, node = 0, left = counts[0]; worker < threads; ++worker, --left) {
      if (left == 0) left = counts[static_cast<size_t>(++node)];
      ASSERT_EQ(node, shares.nodeOf(worker));
    }
    const int64_t items = random.chance(0.2) ? random.between(0, 3) : random.between(0, 20000);
    int64_t next = 0;
    for (int node = 0; node < shares.nodes(); ++node) {
      ASSERT_GT(shares.threads(node), 0);
      const ChunkRange part = shares.part(items, node);
      ASSERT_EQ(next, part.first);
      ASSERT_LE(part.first, part.last);
      next = part.last;
      const double exact = static_cast<double>(items * shares.threads(node)) / threads;
      ASSERT_NEAR(exact, static_cast<double>(part.last - part.first), 1);
    }
    ASSERT_EQ(items, next);
  }
}

}  // namespace
}  // namespace td::testing
