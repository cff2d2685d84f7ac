#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <vector>

#include "bus/control.hpp"
#include "bus/message.hpp"

namespace kvmesh::bus::detail {

/// The longest frame of a control message; a longer body travels in pieces, each a message of two frames: a head, then
/// so many bytes, the last piece's fewer. So heartbeats of others are not held up for long, and nothing is allocated
/// for what a stranger announces.
inline constexpr std::size_t kControlPieceBytes = std::size_t{1} << 20;

/// The frames of piece number `number` of `body`.
Message control_piece(const Frame& body, std::size_t number);
/// How many pieces a body goes in; 1: whole, in a frame of its own without a head.
std::size_t control_pieces(std::size_t bytes);

/// Puts bodies together again, of each peer one at a time; other messages may come between the pieces. Decides and does
/// nothing. Bound: the unfinished bodies of all peers together have at most `most` bytes, and none may have more;
/// beyond that the oldest is given up.
class ControlPieces {
 public:
  explicit ControlPieces(std::size_t most = kMaxControlBytes) : most_(most) {}

  /// The whole body, once its last piece is in. A first piece begins anew. Throws Error{kReconnect} for what is no
  /// piece, or not the next one; what had come from that peer is forgotten.
  std::optional<Frame> add(const std::string& peer, const Message& piece);

 private:
  struct Unfinished {
    std::string peer;
    std::uint64_t bytes = 0;  ///< of the whole
    std::string text;
  };
  void make_room(std::size_t bytes, const std::string& peer);

  const std::size_t most_;
  std::list<Unfinished> unfinished_;  ///< the oldest first
};

}  // namespace kvmesh::bus::detail
