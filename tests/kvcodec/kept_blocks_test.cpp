// What a receiver keeps of what came, and what it gives back.

#include "kvcodec/kept_blocks.hpp"

#include <algorithm>
#include <map>

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

/// A store, and the promises that requests were given by it.
class Scene {
 public:
  explicit Scene(std::size_t budget = 1 << 20) : store(budget) {}

  /// It has had one request of `tokens` over edge 0, at layers 0 and 1, in pieces of 128 rows.
  void have(const std::string& request, const std::vector<std::int64_t>& tokens, std::int64_t from = 0) {
    offered(0, request, tokens, 2);
    for (int layer : {0, 1})
      for (std::int64_t at = from; at < static_cast<std::int64_t>(tokens.size()); at += 128)
        keep(rows(request, layer, at, std::min<std::int64_t>(128, tokens.size() - at)));
    release(request);
  }
  std::vector<std::int64_t> offered(std::size_t edge, const std::string& request,
                                    const std::vector<std::int64_t>& tokens, int layers) {
    return promises_.emplace(request, store.promise(edge, offer(request, tokens), layers)).first->second.held();
  }
  std::vector<std::int64_t> held(const std::string& request, const std::vector<std::int64_t>& tokens) {
    return offered(0, request, tokens, 2);
  }
  void keep(const wire::WireMessage& message, bool borrowed = false) {
    store.keep(promises_.at(message.envelope.request), message, borrowed);
  }
  std::optional<std::vector<wire::WireMessage>> take(const wire::Envelope& envelope) {
    return store.take(promises_.at(envelope.request), envelope);
  }
  void release(const std::string& request) { promises_.erase(request); }

  kvcodec::KeptBlocks store;

 private:
  std::map<std::string, kvcodec::KeptBlocks::Promise> promises_;
};

}  // namespace

TEST_CASE("nothing is held before anything came, and nothing is kept of a request that offered nothing") {
  Scene scene;
  CHECK(scene.held("r0", prompt(200)) == std::vector<std::int64_t>{0, 0});
  CHECK(scene.held("r1", {}) == std::vector<std::int64_t>{0, 0});
  scene.keep(rows("r1", 0, 0, 128));
  CHECK(scene.store.bytes() == 0);
}

TEST_CASE("a second request is told which leading blocks are held, and gets their rows") {
  Scene scene;
  scene.have("r0", prompt(300));
  CHECK(scene.held("r1", prompt(400, /*changed_from=*/200)) == std::vector<std::int64_t>{3, 3});
  CHECK(are_rows(scene.take(reference("r1", 1, 0, 192)), 0, 192));
}

TEST_CASE("what comes behind held blocks is kept in its turn") {
  Scene scene;
  scene.have("r0", prompt(256));
  scene.have("r1", prompt(512), /*from=*/256);
  CHECK(scene.held("r2", prompt(512)) == std::vector<std::int64_t>{8, 8});
  CHECK(are_rows(scene.take(reference("r2", 0, 0, 512)), 0, 512));
}

TEST_CASE("blocks of another edge or layer are not held") {
  Scene scene;
  scene.offered(0, "r0", prompt(128), 2);
  scene.keep(rows("r0", 1, 0, 128));
  CHECK(scene.held("r1", prompt(128)) == std::vector<std::int64_t>{0, 2});
  CHECK(scene.offered(1, "r2", prompt(128), 2) == std::vector<std::int64_t>{0, 0});
}

TEST_CASE("where the sink travels apart the first block has a row less") {
  Scene scene;
  scene.offered(0, "r0", prompt(192), 1);
  scene.keep(rows("r0", 0, 0, 1));
  scene.keep(rows("r0", 0, 1, 63));
  scene.keep(rows("r0", 0, 64, 128));
  CHECK(scene.offered(0, "r1", prompt(192), 1) == std::vector<std::int64_t>{3});
  CHECK(are_rows(scene.take(reference("r1", 0, 1, 191)), 1, 191));
  CHECK_FALSE(scene.take(reference("r1", 0, 0, 192)));
}

TEST_CASE("the budget is kept, and what was needed longest ago goes first") {
  Scene scene(/*budget=*/6 * kBlockBytes);
  const auto first = prompt(64), second = prompt(64, 1), third = prompt(64, 2);
  scene.have("r0", first);
  scene.have("r1", second);
  scene.have("r2", third);
  CHECK(scene.store.bytes() == 6 * kBlockBytes);
  CHECK(scene.held("r3", first) == std::vector<std::int64_t>{1, 1});
  scene.release("r3");
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
  CHECK(are_rows(scene.take(reference("r1", 0, 0, 64)), 0, 64));
  scene.release("r1");
  scene.have("r3", prompt(64, 5));
  CHECK(scene.held("r4", prompt(64)) == std::vector<std::int64_t>{0, 0});
  CHECK(scene.store.bytes() <= 2 * kBlockBytes);
}

TEST_CASE("a block that has been damaged is dropped and not given out") {
  Scene scene;
  scene.offered(0, "r0", prompt(64), 1);
  const wire::WireMessage message = rows("r0", 0, 0, 64);
  scene.keep(message);
  wire::WireMessage liar = message;
  liar.envelope.layer = 1;
  liar.envelope.checksum ^= 1;
  scene.keep(liar);
  CHECK(scene.held("r1", prompt(64)) == std::vector<std::int64_t>{1, 1});
  CHECK(are_rows(scene.take(reference("r1", 0, 0, 64)), 0, 64));
  CHECK_FALSE(scene.take(reference("r1", 1, 0, 64)));
  CHECK(scene.held("r2", prompt(64)) == std::vector<std::int64_t>{1, 0});
}

TEST_CASE("a reference to more than was offered, or to what nobody promised, gives nothing") {
  Scene scene;
  scene.have("r0", prompt(128));
  scene.held("r1", prompt(128));
  CHECK_FALSE(scene.take(reference("r1", 0, 0, 192)));
  CHECK_FALSE(scene.take(reference("r1", 0, 0, 100)));
  CHECK_FALSE(scene.take(reference("r1", 5, 0, 128)));
}

TEST_CASE("borrowed frames are copied") {
  Scene scene;
  scene.offered(0, "r0", prompt(64), 1);
  wire::WireMessage message = rows("r0", 0, 0, 64);
  std::weak_ptr<const void> owner = message.payload[0].owner();
  scene.keep(message, /*borrowed=*/true);
  message = {};
  CHECK(owner.expired());
  scene.offered(0, "r1", prompt(64), 1);
  CHECK(are_rows(scene.take(reference("r1", 0, 0, 64)), 0, 64));
}
