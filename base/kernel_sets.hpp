#pragma once

#include <initializer_list>
#include <vector>

#include "base/instruction_set.hpp"

namespace kvmesh {

/// Of tables of kernels, each compiled for its `instruction_set`, those that this process may run, in their order.
template <class Table>
std::vector<const Table*> runnable(std::initializer_list<const Table*> tables) {
  std::vector<const Table*> found;
  for (const Table* table : tables)
    if (table->instruction_set <= instruction_set()) found.push_back(table);
  return found;
}

}  // namespace kvmesh
