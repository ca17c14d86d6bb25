#include "core/topology.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <numeric>
#include <sstream>

namespace td {
namespace {

constexpr int kMostCpus = 1 << 16;  // a list beyond that is not one
constexpr int kFar = 1 << 20;

std::string lineOf(const std::string& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return line;
}

// The value of "Key:\tvalue" in a file of such lines.
std::string fieldOf(const std::string& path, const std::string& key) {
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    if (line.compare(0, key.size() + 1, key + ":") != 0) continue;
    const size_t value = line.find_first_not_of(" \t", key.size() + 1);
    return value == std::string::npos ? "" : line.substr(value);
  }
  return "";
}

bool contains(const std::vector<int>& ascending, int value) {
  return std::binary_search(ascending.begin(), ascending.end(), value);
}

std::vector<int> both(const std::vector<int>& a, const std::vector<int>& b) {
  std::vector<int> common;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(common));
  return common;
}

}  // namespace

std::vector<int> parseCpuList(const std::string& text) {
  std::vector<int> list;
  std::istringstream parts(text);
  for (std::string part; std::getline(parts, part, ',');) {
    part.erase(part.find_last_not_of(" \t\n") + 1);
    const char* end = part.data() + part.size();
    int first = 0;
    auto [rest, error] = std::from_chars(part.data(), end, first);
    int last = first;
    if (error == std::errc() && rest != end && *rest == '-') {
      const auto second = std::from_chars(rest + 1, end, last);
      rest = second.ptr;
      error = second.ec;
    }
    if (error != std::errc() || rest != end || first < 0 || last < first || last >= kMostCpus) return {};
    for (int cpu = first; cpu <= last; ++cpu) list.push_back(cpu);
  }
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
  return list;
}

Topology Topology::read(const std::string& root) {
  const std::string folder = root + "/sys/devices/system/node/";
  const std::string status = root + "/proc/thread-self/status";
  const std::vector<int> online = parseCpuList(lineOf(folder + "online"));
  const std::vector<int> allowedCpus = parseCpuList(fieldOf(status, "Cpus_allowed_list"));
  const std::vector<int> withMemory = both(both(online, parseCpuList(lineOf(folder + "has_memory"))),
                                           parseCpuList(fieldOf(status, "Mems_allowed_list")));
  Topology topology;
  for (const int id : withMemory) topology.nodes.push_back({id, {}});
  if (topology.nodes.empty()) return topology;
  for (const int id : online) {
    // Its own CPUs, and those of a node without memory, go to the nearest node that has some (its own is nearest).
    const std::string path = folder + "node" + std::to_string(id) + "/";
    NumaNode* nearest = nullptr;
    int least = 0;
    std::istringstream distances(lineOf(path + "distance"));  // to the online nodes, in their order
    for (const int other : online) {
      int distance;
      if (!(distances >> distance)) distance = kFar;
      if (other == id) distance = 0;
      if (!contains(withMemory, other) || (nearest != nullptr && distance >= least)) continue;
      least = distance;
      nearest = &*std::find_if(topology.nodes.begin(), topology.nodes.end(),
                               [&](const NumaNode& node) { return node.id == other; });
    }
    // cpulist names CPUs that are online only.
    for (const int cpu : both(parseCpuList(lineOf(path + "cpulist")), allowedCpus)) nearest->cpus.push_back(cpu);
  }
  std::erase_if(topology.nodes, [](const NumaNode& node) { return node.cpus.empty(); });
  for (NumaNode& node : topology.nodes) std::sort(node.cpus.begin(), node.cpus.end());
  return topology;
}

NodeShares::NodeShares(const Topology& topology, int threads) : before_{0} {
  const int64_t cpus = std::accumulate(topology.nodes.begin(), topology.nodes.end(), int64_t{0},
                                       [](int64_t sum, const NumaNode& node) { return sum + std::ssize(node.cpus); });
  if (topology.nodes.size() < 2) {
    homes_.push_back(topology.nodes.empty() ? NumaNode{0, {}} : topology.nodes[0]);
    before_.push_back(threads);
    return;
  }
  std::vector<int> counts;
  std::vector<size_t> order(topology.nodes.size());
  std::iota(order.begin(), order.end(), 0);
  const auto exact = [&](size_t node) { return threads * std::ssize(topology.nodes[node].cpus); };
  for (const size_t node : order) counts.push_back(static_cast<int>(exact(node) / cpus));
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return exact(a) % cpus > exact(b) % cpus; });
  const int left = threads - std::accumulate(counts.begin(), counts.end(), 0);
  for (int i = 0; i < left; ++i) ++counts[order[static_cast<size_t>(i)]];
  for (size_t node = 0; node < counts.size(); ++node) {
    if (counts[node] == 0) continue;
    homes_.push_back(topology.nodes[node]);
    before_.push_back(before_.back() + counts[node]);
  }
}

int NodeShares::nodeOf(int worker) const {
  const auto above = std::upper_bound(before_.begin(), before_.end(), worker);
  return std::min(static_cast<int>(above - before_.begin()) - 1, nodes() - 1);
}

int NodeShares::nodeOfCpu(int cpu) const {
  for (int node = 0; node < nodes(); ++node) {
    if (contains(home(node).cpus, cpu)) return node;
  }
  return 0;
}

ChunkRange NodeShares::part(int64_t items, int node) const {
  const int64_t all = before_.back();
  return {items * before_[static_cast<size_t>(node)] / all, items * before_[static_cast<size_t>(node) + 1] / all};
}

}  // namespace td
