// Topologies that this machine does not have.
#pragma once

#include <vector>

#include "core/topology.h"

namespace td::testing {

// So many CPUs at node 0, 1, ..., numbered through.
inline Topology withCpus(const std::vector<int>& counts) {
  Topology topology;
  int cpu = 0;
  for (size_t node = 0; node < counts.size(); ++node) {
    topology.nodes.push_back({static_cast<int>(node), std::vector<int>(static_cast<size_t>(counts[node]))});
    for (int& of : topology.nodes.back().cpus) of = cpu++;
  }
  return topology;
}

}  // namespace td::testing
