// What a receiver keeps of what came, and what it gives back.

#include "kvcodec/kept_blocks.hpp"

#include <algorithm>

#include "tests/kvcodec/wire_fixture.hpp"

using namespace kvmesh;
using namespace kvmesh::test;

namespace {

constexpr std::int64_t kRowBytes = 8;  // keys and values of one head of dimension 2, bf16
constexpr std::size_t kBlockBytes = wire::kBlockTokens * kRowBytes;

std::vector<std::int64_t> prompt(std::int64_t count, std::int64_t changed_from = 1 << 20) {
  std::vector<std::int64_t> ids;
  for (std::int64_t i = 0; i < count; ++i) ids.push_back(i < changed_from ? i : i + 1'000);
  return ids;
}

wire::Offer offer(const std::string& request, const std::vector<std::int64_t>& tokens) {
  return {request, wire::name_blocks(tokens, "w")};
}

/// Rows whose bytes say which rows they are.
wire::WireMessage rows(const std::string& request, int layer, std::int64_t first, std::int64_t count) {
  wire::WireMessage message;
  message.envelope = example_envelope();
  message.envelope.request = request;
  message.envelope.layer = layer;
  message.envelope.positions = {{.first = first, .count = count}};
  for (wire::TensorFrame& tensor : message.envelope.tensors) {
    tensor.shape.front() = count;
    std::string bytes;
    for (std::int64_t row = first; row < first + count; ++row) bytes += std::string(4, static_cast<char>(row % 251));
    message.payload.push_back(OwnedBytes::from_string(bytes));
  }
  message.envelope.checksum = wire::payload_checksum(message.payload);
  return message;
}

wire::Envelope reference(const std::string& request, int layer, std::int64_t first, std::int64_t count) {
  wire::Envelope envelope = rows(request, layer, first, count).envelope;
  envelope.encoding = wire::Encoding::kKept;
  envelope.tensors.clear();
  return envelope;
}

/// Whether `got` are rows [first, first + count), each with its bytes.
bool are_rows(const std::optional<std::vector<wire::WireMessage>>& got, std::int64_t first, std::int64_t count) {
  if (!got) return false;
  std::int64_t next = first;
  for (const wire::WireMessage& message : *got) {
    const wire::PositionRange range = message.envelope.positions.at(0);
    if (range.first != next) return false;
    for (std::int64_t row = 0; row < range.count; ++row, ++next)
      for (const OwnedBytes& frame : message.payload)
        if (frame.text().substr(row * 4, 4) != std::string(4, static_cast<char>(next % 251))) return false;
  }
  return next == first + count;
}

/// A store that has had one request of `tokens` over edge 0, at layers 0 and 1, in pieces of 128 rows.
struct Scene {
  kvcodec::KeptBlocks store;
  explicit Scene(std::size_t budget = 1 << 20) : store(budget) {}

  void have(const std::string& request, const std::vector<std::int64_t>& tokens, std::int64_t from = 0) {
    store.offered(0, offer(request, tokens), 2);
    for (int layer : {0, 1})
      for (std::int64_t at = from; at < static_cast<std::int64_t>(tokens.size()); at += 128)
        store.keep(0, rows(request, layer, at, std::min<std::int64_t>(128, tokens.size() - at)), false);
    store.release(request);
  }
  std::vector<std::int64_t> held(const std::string& request, const std::vector<std::int64_t>& tokens) {
    return store.offered(0, offer(request, tokens), 2).blocks;
  }
};

}  // namespace

TEST_CASE("nothing is held before anything came, and nothing is kept of a request that offered nothing") {
  Scene scene;
  CHECK(scene.held("r0", prompt(200)) == std::vector<std::int64_t>{0, 0});
  scene.store.keep(0, rows("r1", 0, 0, 128), false);
  CHECK(scene.store.bytes() == 0);
}

TEST_CASE("a second request is told which leading blocks are held, and gets their rows") {
  Scene scene;
  scene.have("r0", prompt(300));
  CHECK(scene.held("r1", prompt(400, /*changed_from=*/200)) == std::vector<std::int64_t>{3, 3});
  CHECK(are_rows(scene.store.take(0, reference("r1", 1, 0, 192)), 0, 192));
}

TEST_CASE("what comes behind held blocks is kept in its turn") {
  Scene scene;
  scene.have("r0", prompt(256));
  scene.have("r1", prompt(512), /*from=*/256);
  CHECK(scene.held("r2", prompt(512)) == std::vector<std::int64_t>{8, 8});
  CHECK(are_rows(scene.store.take(0, reference("r2", 0, 0, 512)), 0, 512));
}

TEST_CASE("blocks of another edge or layer are not held") {
  Scene scene;
  scene.store.offered(0, offer("r0", prompt(128)), 2);
  scene.store.keep(0, rows("r0", 1, 0, 128), false);
  CHECK(scene.held("r1", prompt(128)) == std::vector<std::int64_t>{0, 2});
  CHECK(scene.store.offered(1, offer("r2", prompt(128)), 2).blocks == std::vector<std::int64_t>{0, 0});
}

TEST_CASE("where the sink travels apart the first block has a row less") {
  Scene scene;
  scene.store.offered(0, offer("r0", prompt(192)), 1);
  scene.store.keep(0, rows("r0", 0, 0, 1), false);
  scene.store.keep(0, rows("r0", 0, 1, 63), false);
  scene.store.keep(0, rows("r0", 0, 64, 128), false);
  CHECK(scene.store.offered(0, offer("r1", prompt(192)), 1).blocks == std::vector<std::int64_t>{3});
  CHECK(are_rows(scene.store.take(0, reference("r1", 0, 1, 191)), 1, 191));
  CHECK_FALSE(scene.store.take(0, reference("r1", 0, 0, 192)));
}

TEST_CASE("the budget is kept, and what was needed longest ago goes first") {
  Scene scene(/*budget=*/6 * kBlockBytes);
  const auto first = prompt(64), second = prompt(64, 1), third = prompt(64, 2);
  scene.have("r0", first);
  scene.have("r1", second);
  scene.have("r2", third);
  CHECK(scene.store.bytes() == 6 * kBlockBytes);
  CHECK(scene.held("r3", first) == std::vector<std::int64_t>{1, 1});
  scene.store.release("r3");
  scene.have("r4", prompt(64, 3));  // `second` is the oldest now
  CHECK(scene.store.bytes() <= 6 * kBlockBytes);
  CHECK(scene.held("r5", first) == std::vector<std::int64_t>{1, 1});
  CHECK(scene.held("r6", second) == std::vector<std::int64_t>{0, 0});
}

TEST_CASE("what a request was promised stays until it is released, and nothing new is kept where no room can be made") {
  Scene scene(/*budget=*/2 * kBlockBytes);
  scene.have("r0", prompt(64));
  CHECK(scene.held("r1", prompt(64)) == std::vector<std::int64_t>{1, 1});
  scene.have("r2", prompt(64, 5));
  CHECK(are_rows(scene.store.take(0, reference("r1", 0, 0, 64)), 0, 64));
  scene.store.release("r1");
  scene.have("r3", prompt(64, 5));
  CHECK(scene.held("r4", prompt(64)) == std::vector<std::int64_t>{0, 0});
  CHECK(scene.store.bytes() <= 2 * kBlockBytes);
}

TEST_CASE("a block that has been damaged is dropped and not given out") {
  Scene scene;
  scene.store.offered(0, offer("r0", prompt(64)), 1);
  const wire::WireMessage message = rows("r0", 0, 0, 64);
  scene.store.keep(0, message, /*borrowed=*/false);
  wire::WireMessage liar = message;
  liar.envelope.layer = 1;
  liar.envelope.checksum ^= 1;
  scene.store.keep(0, liar, false);
  CHECK(scene.held("r1", prompt(64)) == std::vector<std::int64_t>{1, 1});
  CHECK(are_rows(scene.store.take(0, reference("r1", 0, 0, 64)), 0, 64));
  CHECK_FALSE(scene.store.take(0, reference("r1", 1, 0, 64)));
  CHECK(scene.held("r2", prompt(64)) == std::vector<std::int64_t>{1, 0});
}

TEST_CASE("a reference to more than was offered, or to what nobody promised, gives nothing") {
  Scene scene;
  scene.have("r0", prompt(128));
  CHECK_FALSE(scene.store.take(0, reference("r0", 0, 0, 128)));  // that request is over
  scene.held("r1", prompt(128));
  CHECK_FALSE(scene.store.take(0, reference("r1", 0, 0, 192)));
  CHECK_FALSE(scene.store.take(0, reference("r1", 0, 0, 100)));
  CHECK_FALSE(scene.store.take(0, reference("r1", 5, 0, 128)));
}

TEST_CASE("borrowed frames are copied") {
  Scene scene;
  scene.store.offered(0, offer("r0", prompt(64)), 1);
  wire::WireMessage message = rows("r0", 0, 0, 64);
  std::weak_ptr<const void> owner = message.payload[0].owner();
  scene.store.keep(0, message, /*borrowed=*/true);
  message = {};
  CHECK(owner.expired());
  scene.store.offered(0, offer("r1", prompt(64)), 1);
  CHECK(are_rows(scene.store.take(0, reference("r1", 0, 0, 64)), 0, 64));
}

TEST_CASE("a request that never ends is forgotten when too many others are open") {
  Scene scene(/*budget=*/2 * kBlockBytes);
  scene.have("r0", prompt(64));
  scene.held("stuck", prompt(64));
  for (std::size_t i = 0; i < kvcodec::KeptBlocks::kMostOffers; ++i)
    scene.held("r" + std::to_string(i + 1), prompt(10));
  scene.have("later", prompt(64, 5));
  CHECK(scene.held("last", prompt(64, 5)) == std::vector<std::int64_t>{1, 1});
}
