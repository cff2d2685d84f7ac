#pragma once

#include <map>
#include <memory>
#include <string>

#include "bus/message.hpp"

namespace kvmesh::bus::detail {

/// The receiver's end of shared memory: arenas of senders, each mapped when its first message comes. Frames point into
/// the sender's memory; a message's ticket is returned when the last owner of its frames goes, on whatever thread. Used
/// from one thread.
class SharedViews {
 public:
  /// A message whose last frame is a trailer, as it was before SharedArena::share(). Throws Error{kReconnect}: a
  /// trailer that is none, an arena that is not there or is another's, a ticket that is not ours, bytes that it does
  /// not have.
  Message open(Message message);

 private:
  class Mapping;
  std::map<std::string, std::shared_ptr<Mapping>> mappings_;  ///< by name
};

}  // namespace kvmesh::bus::detail
