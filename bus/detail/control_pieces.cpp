#include "bus/detail/control_pieces.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/error.hpp"

namespace kvmesh::bus::detail {
namespace {

/// The first frame of a piece; docs/wire.md, "Control messages".
struct Head {
  std::uint64_t offset = 0;  ///< of the piece's first byte in the body
  std::uint64_t bytes = 0;   ///< of the whole body
};

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorKind::kReconnect, cat("a piece of a control message ", what));
}

}  // namespace

std::size_t control_pieces(std::size_t bytes) {
  return std::max<std::size_t>(1, (bytes + kControlPieceBytes - 1) / kControlPieceBytes);
}

Message control_piece(const Frame& body, std::size_t number) {
  const Head head{.offset = number * kControlPieceBytes, .bytes = body.size()};
  std::string bytes(sizeof head, '\0');
  std::memcpy(bytes.data(), &head, sizeof head);
  return {Frame::from_string(std::move(bytes)),
          body.part(head.offset, std::min<std::size_t>(kControlPieceBytes, body.size() - head.offset))};
}

std::optional<Frame> ControlPieces::add(const std::string& peer, const Message& piece) {
  Head head;
  if (piece.size() != 2 || piece[0].size() != sizeof head) refuse("has no head");
  std::memcpy(&head, piece[0].data(), sizeof head);
  const auto is_peer = [&](const Unfinished& one) { return one.peer == peer; };
  if (head.offset == 0) unfinished_.remove_if(is_peer);  // whatever was under way when its connection broke
  auto body = std::find_if(unfinished_.begin(), unfinished_.end(), is_peer);
  const std::size_t there = body == unfinished_.end() ? 0 : body->text.size();
  if (head.offset != there || head.bytes > most_ || (there > 0 && head.bytes != body->bytes) || piece[1].empty() ||
      piece[1].size() > head.bytes - head.offset) {
    unfinished_.remove_if(is_peer);
    refuse(cat("holds ", piece[1].size(), " bytes from byte ", head.offset, " on of ", head.bytes, ", where ", there,
               " had come and ", most_, " may"));
  }
  make_room(piece[1].size(), peer);
  if (there == 0) body = unfinished_.insert(unfinished_.end(), {.peer = peer, .bytes = head.bytes, .text = {}});
  body->text += piece[1].text();
  if (body->text.size() < body->bytes) return std::nullopt;
  Frame whole = Frame::from_string(std::move(body->text));
  unfinished_.erase(body);
  return whole;
}

void ControlPieces::make_room(std::size_t bytes, const std::string& peer) {
  for (const Unfinished& one : unfinished_) bytes += one.text.size();
  for (auto at = unfinished_.begin(); bytes > most_ && at != unfinished_.end();) {
    const auto oldest = at++;
    if (oldest->peer == peer) continue;
    bytes -= oldest->text.size();
    unfinished_.erase(oldest);
  }
}

}  // namespace kvmesh::bus::detail
