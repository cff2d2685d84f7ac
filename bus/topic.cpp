#include "bus/topic.hpp"

#include "base/error.hpp"

namespace kvmesh::bus {

std::string edge_topic(std::string_view mesh, std::string_view from, std::string_view to, std::string_view medium) {
  return cat(mesh, '/', from, '/', to, '/', medium, kTopicEnd);
}

}  // namespace kvmesh::bus
