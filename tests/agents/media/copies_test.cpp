// What a kv message costs at either end beside the bytes that must move: payload that is copied, memory that is taken.

#include <ATen/ATen.h>

#include <algorithm>
#include <span>

#include "agents/media/kv_sender.hpp"
#include "kvcodec/decode.hpp"
#include "kvcodec/encode.hpp"
#include "llm/model/model.hpp"
#include "tests/support/allocation_count.hpp"
#include "tests/support/golden.hpp"

using namespace kvmesh;
using namespace kvmesh::test;

namespace {

/// Pieces of memory for envelope, lists and views, a tenth above what it was when this was written.
constexpr std::int64_t kMostOfASender = 190;
constexpr std::int64_t kMostOfAReceiver = 170;

const llm::Model& tiny() {
  static const llm::Model model = llm::Model::load(tiny_model(), {});
  return model;
}

/// A cache with the rows of 200 tokens, and a message of one of its layers.
struct Sent {
  llm::KvCache cache;
  std::vector<OwnedBytes> frames;

  explicit Sent(const MakeRoom& room = nullptr) : cache(tiny().make_cache(1, room)) {
    std::vector<std::int64_t> ids(200);
    for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int64_t>(i * 53 % 500);
    tiny().forward({.embeddings = tiny().embed(ids), .logits = llm::LogitRows::kNone}, cache);
  }

  void send() {
    wire::Envelope envelope;
    envelope.mesh = envelope.from = envelope.to = envelope.request = "test";
    envelope.count = 1;
    envelope.layer = 3;
    frames = kvcodec::address_rows(kvcodec::pack_rows(agents::rows_of(cache.layer(3), 0, 200), wire::WireDtype::kSame),
                                   envelope)
                 .sealed();
  }
};

/// Bytes of `frames` that do not stand in the memory of `tensors`, and so were copied.
std::size_t bytes_outside(std::span<const OwnedBytes> frames, const std::vector<at::Tensor>& tensors) {
  std::size_t outside = 0;
  for (const OwnedBytes& frame : frames) {
    const bool inside = std::any_of(tensors.begin(), tensors.end(), [&](const at::Tensor& tensor) {
      const auto* begin = static_cast<const std::byte*>(tensor.data_ptr());
      return frame.data() >= begin && frame.data() + frame.size() <= begin + tensor.nbytes();
    });
    if (!inside) outside += frame.size();
  }
  return outside;
}

}  // namespace

TEST_CASE("a sender copies no payload and takes no memory for it, and few small pieces for the rest of a message") {
  Sent sent;
  sent.send();  // what is made once is made
  const AllocationCount taken;
  sent.send();
  CHECK(taken.tensors() == 0);
  CHECK(taken.operator_new() <= kMostOfASender);
  const std::span payload = std::span(sent.frames).subspan(1);
  CHECK(bytes_outside(payload, {sent.cache.layer(3).key_store(), sent.cache.layer(3).value_store()}) == 0);
}

TEST_CASE("a receiver copies each byte of payload once, into its cache, and takes no memory for it") {
  Sent sent;
  sent.send();
  llm::KvCache cache = tiny().make_cache(200);
  const std::vector<at::Tensor> received{sent.cache.layer(3).key_store(), sent.cache.layer(3).value_store()};
  wire::read_message(sent.frames);
  const AllocationCount taken;
  const wire::WireMessage message = wire::read_message(sent.frames);
  const llm::LayerCache::Rows rows = cache.layer(3).behind(200);
  kvcodec::check_and_decode_layer_into(message, rows.keys, rows.values);
  cache.layer(3).extend(std::vector<std::int64_t>(200));
  CHECK(taken.tensors() == 0);
  CHECK(taken.operator_new() <= kMostOfAReceiver);
  CHECK(bytes_outside(message.payload, received) == 0);  // views of what came, until they are written where they stay
  CHECK(rows.keys.data_ptr() == cache.layer(3).key_store().data_ptr());
  CHECK(at::equal(cache.layer(3).keys(), sent.cache.layer(3).keys()));
}

TEST_CASE("a cache that stands in memory it was given leaves from there, also after it has grown") {
  std::vector<std::shared_ptr<std::vector<std::byte>>> given;
  const MakeRoom room = [&](std::size_t bytes) {
    given.push_back(std::make_shared<std::vector<std::byte>>(bytes));
    return WritableBytes{given.back(), given.back()->data()};
  };
  Sent sent(room);  // of one row at first
  sent.send();
  for (const OwnedBytes& frame : std::span(sent.frames).subspan(1))
    CHECK(std::any_of(given.begin(), given.end(), [&](const auto& place) {
      return frame.data() >= place->data() && frame.data() + frame.size() <= place->data() + place->size();
    }));
}
