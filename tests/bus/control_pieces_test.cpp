// Long control messages in pieces: what is put together, and what is not believed.

#include "bus/detail/control_pieces.hpp"

#include <catch2/catch.hpp>
#include <cstring>

#include "base/error.hpp"
#include "bus/control.hpp"

using Catch::Matchers::Contains;
using namespace kvmesh;
using namespace kvmesh::bus;
using detail::control_piece;
using detail::control_pieces;
using detail::ControlPieces;
using detail::kControlPieceBytes;

namespace {

Frame body_of(char fill, std::size_t bytes) { return Frame::from_string(std::string(bytes, fill)); }

Message piece(std::uint64_t offset, std::uint64_t whole, const std::string& bytes) {
  std::string head(16, '\0');
  std::memcpy(head.data(), &offset, 8);
  std::memcpy(head.data() + 8, &whole, 8);
  return {Frame::from_string(head), Frame::from_string(bytes)};
}

std::string refusal(ControlPieces& pieces, const Message& message) {
  try {
    pieces.add("p", message);
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("a body of one frame's length goes whole, a longer one in pieces of that length") {
  CHECK(control_pieces(0) == 1);
  CHECK(control_pieces(kControlPieceBytes) == 1);
  CHECK(control_pieces(kControlPieceBytes + 1) == 2);
  CHECK(control_piece(body_of('x', kControlPieceBytes + 3), 1).at(1).size() == 3);
}

TEST_CASE("bodies of two peers are put together, each of its own pieces") {
  ControlPieces pieces;
  const Frame a = body_of('a', 2 * kControlPieceBytes + 1), b = body_of('b', kControlPieceBytes + 1);
  CHECK_FALSE(pieces.add("a", control_piece(a, 0)));
  CHECK_FALSE(pieces.add("b", control_piece(b, 0)));
  CHECK_FALSE(pieces.add("a", control_piece(a, 1)));
  CHECK(pieces.add("b", control_piece(b, 1)).value().text() == b.text());
  CHECK(pieces.add("a", control_piece(a, 2)).value().text() == a.text());
}

TEST_CASE("a piece that does not follow the one before is refused with the numbers, and the rest is forgotten") {
  ControlPieces pieces;
  CHECK_THAT(refusal(pieces, piece(4, 8, "abcd")), Contains("4 bytes from byte 4 on of 8, where 0 had come"));
  CHECK(refusal(pieces, piece(0, 8, "abcd")).empty());
  CHECK_THAT(refusal(pieces, piece(5, 8, "abc")), Contains("from byte 5 on of 8, where 4 had come"));
  CHECK_THAT(refusal(pieces, piece(4, 8, "efgh")), Contains("where 0 had come"));
}

TEST_CASE("a piece that changes the length, goes beyond it or is empty is refused") {
  for (const Message& second : {piece(4, 9, "efgh"), piece(4, 8, "efghi"), piece(4, 8, "")}) {
    ControlPieces pieces;
    CHECK(refusal(pieces, piece(0, 8, "abcd")).empty());
    CHECK_FALSE(refusal(pieces, second).empty());
  }
  ControlPieces pieces;
  CHECK_THAT(refusal(pieces, piece(0, kMaxControlBytes + 1, "a")), Contains("and 268435456 may"));
  CHECK_THAT(refusal(pieces, {Frame::from_string("x"), Frame()}), Contains("has no head"));
  CHECK_THAT(refusal(pieces, {}), Contains("has no head"));
}

TEST_CASE("a first piece begins anew, as after a broken connection") {
  ControlPieces pieces;
  CHECK_FALSE(pieces.add("p", piece(0, 8, "abcd")));
  CHECK_FALSE(pieces.add("p", piece(0, 6, "rst")));
  CHECK(pieces.add("p", piece(3, 6, "uvw")).value().text() == "rstuvw");
}

TEST_CASE("unfinished bodies of all peers together have a bound, and the oldest is given up") {
  ControlPieces pieces(/*most=*/8);
  for (const char* peer : {"old", "middle", "new"}) CHECK_FALSE(pieces.add(peer, piece(0, 8, "abcd")));
  CHECK_THROWS_AS(pieces.add("old", piece(4, 8, "efgh")), Error);
  CHECK(pieces.add("new", piece(4, 8, "efgh")).value().text() == "abcdefgh");
}
