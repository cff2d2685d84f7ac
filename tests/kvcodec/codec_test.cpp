#include <ATen/ATen.h>

#include <catch2/catch.hpp>

#include "kvcodec/decode.hpp"
#include "kvcodec/encode.hpp"
#include "tests/kvcodec/wire_fixture.hpp"

using namespace kvmesh;
using namespace kvmesh::test;

namespace {

kvcodec::LayerKv example_layer(at::ScalarType dtype = at::kFloat) {
  return {.keys = at::randn({5, 2, 8}).to(dtype),
          .values = at::randn({5, 2, 8}).to(dtype),
          .positions = {{.first = 0, .count = 1}, {.first = 7, .count = 4}}};
}

kvcodec::LayerKv through_the_wire(const kvcodec::LayerKv& layer) {
  return kvcodec::decode_layer(wire::decode_message(kvcodec::encode_layer(layer, example_envelope())), 2, 8);
}

bool aligned(const OwnedBytes& bytes) { return reinterpret_cast<std::uintptr_t>(bytes.data()) % 4 == 0; }

/// The message of `layer` with each payload frame one byte off any alignment.
std::vector<OwnedBytes> misaligned_frames(const kvcodec::LayerKv& layer) {
  std::vector<OwnedBytes> frames = kvcodec::encode_layer(layer, example_envelope());
  for (std::size_t i = 1; i < frames.size(); ++i) {
    std::string padded_bytes(1, 'x');
    padded_bytes += frames[i].text();
    const OwnedBytes padded = OwnedBytes::from_string(std::move(padded_bytes));
    frames[i] = OwnedBytes(padded.owner(), padded.span().subspan(1));
  }
  return frames;
}

std::string refusal(std::int64_t kv_heads, std::int64_t head_dim, auto edit) {
  wire::WireMessage message = wire::decode_message(kvcodec::encode_layer(example_layer(), example_envelope()));
  edit(message);
  ErrorKind kind = ErrorKind::kReconnect;
  const std::string text = error_of([&] { kvcodec::decode_layer(message, kv_heads, head_dim); }, &kind);
  return kind == ErrorKind::kReconnect ? text : "an error of another kind: " + text;
}

}  // namespace

TEST_CASE("a layer of each dtype comes back bit for bit, with its positions") {
  for (at::ScalarType dtype : {at::kFloat, at::kBFloat16, at::kHalf}) {
    const kvcodec::LayerKv layer = example_layer(dtype);
    const kvcodec::LayerKv received = through_the_wire(layer);
    CHECK(received.keys.scalar_type() == dtype);
    CHECK(at::equal(received.keys, layer.keys));
    CHECK(at::equal(received.values, layer.values));
    CHECK(received.positions == layer.positions);
    CHECK(received.tokens() == 5);
  }
}

TEST_CASE("neither encoding nor decoding copies keys and values") {
  const kvcodec::LayerKv layer = example_layer();
  const std::vector<OwnedBytes> frames = kvcodec::encode_layer(layer, example_envelope());
  CHECK(frames.at(1).data() == layer.keys.data_ptr());
  CHECK(frames.at(2).data() == layer.values.data_ptr());
  const kvcodec::LayerKv received = kvcodec::decode_layer(wire::decode_message(frames), 2, 8);
  CHECK(received.keys.data_ptr() == layer.keys.data_ptr());
  CHECK(received.values.data_ptr() == layer.values.data_ptr());
}

TEST_CASE("a run of tokens out of a larger cache leaves without a copy") {
  const at::Tensor cache = at::randn({64, 2, 8});
  const at::Tensor run = cache.narrow(0, 10, 3);
  const std::vector<OwnedBytes> frames =
      kvcodec::encode_layer({.keys = run, .values = run, .positions = {{.first = 10, .count = 3}}}, example_envelope());
  CHECK(frames.at(1).data() == run.data_ptr());
  CHECK(frames.at(1).size() == 3 * 2 * 8 * sizeof(float));
}

TEST_CASE("frames keep the tensor alive, and a received tensor the frames") {
  at::Tensor wanted;
  at::Tensor keys;
  {
    kvcodec::LayerKv layer = example_layer();
    wanted = layer.keys.clone();
    keys = through_the_wire(layer).keys;
  }
  CHECK(at::equal(keys, wanted));
}

TEST_CASE("a tensor that is not contiguous is made so") {
  kvcodec::LayerKv layer = example_layer();
  layer.keys = at::randn({2, 5, 8}).transpose(0, 1);
  REQUIRE_FALSE(layer.keys.is_contiguous());
  CHECK(at::equal(through_the_wire(layer).keys, layer.keys));
}

TEST_CASE("a frame that is not aligned for its dtype is copied, not misread") {
  const kvcodec::LayerKv layer = example_layer();
  const std::vector<OwnedBytes> frames = misaligned_frames(layer);
  REQUIRE_FALSE(aligned(frames[1]));
  const kvcodec::LayerKv received = kvcodec::decode_layer(wire::decode_message(frames), 2, 8);
  CHECK(at::equal(received.keys, layer.keys));
  CHECK(reinterpret_cast<std::uintptr_t>(received.keys.data_ptr()) % 4 == 0);
}

TEST_CASE("a layer that is checked while it is copied stands byte for byte where it is to, aligned or not") {
  for (at::ScalarType dtype : {at::kFloat, at::kBFloat16, at::kHalf}) {
    const kvcodec::LayerKv layer = example_layer(dtype);
    for (const auto& frames : {kvcodec::encode_layer(layer, example_envelope()), misaligned_frames(layer)}) {
      const at::Tensor room = at::zeros({2, 7, 2, 8}, dtype);
      kvcodec::check_and_decode_layer_into(wire::read_message(frames), room[0].narrow(0, 1, 5),
                                           room[1].narrow(0, 1, 5));
      CHECK(at::equal(room[0].narrow(0, 1, 5), layer.keys));
      CHECK(at::equal(room[1].narrow(0, 1, 5), layer.values));
      for (int end : {0, 6}) CHECK(room.select(1, end).count_nonzero().item<std::int64_t>() == 0);
    }
  }
}

TEST_CASE("a layer that is checked on its way into another dtype, or between other rows, is the one that was sent") {
  const kvcodec::LayerKv layer = example_layer(at::kBFloat16);
  const wire::WireMessage message = wire::read_message(kvcodec::encode_layer(layer, example_envelope()));
  const at::Tensor wider = at::zeros({2, 5, 2, 8}), strided = at::zeros({5, 2, 2, 8}, at::kBFloat16).transpose(0, 1);
  kvcodec::check_and_decode_layer_into(message, wider[0], wider[1]);
  CHECK(at::equal(wider[0], layer.keys.to(at::kFloat)));
  CHECK(at::equal(wider[1], layer.values.to(at::kFloat)));
  kvcodec::check_and_decode_layer_into(message, strided[0], strided[1]);
  CHECK(at::equal(strided[0], layer.keys));
  CHECK(at::equal(strided[1], layer.values));
}

TEST_CASE("a damaged layer is refused on its way into any dtype, with the words of one that is checked alone") {
  for (const auto wire_dtype : {wire::WireDtype::kSame, wire::WireDtype::kInt8, wire::WireDtype::kInt4}) {
    auto frames =
        kvcodec::address_rows(kvcodec::pack_rows(example_layer(at::kBFloat16), wire_dtype), example_envelope())
            .sealed();
    std::string damaged(frames.back().text());
    damaged.back() = static_cast<char>(damaged.back() ^ 1);
    frames.back() = OwnedBytes::from_string(damaged);
    const wire::WireMessage message = wire::read_message(frames);
    const std::string words = error_of([&] { wire::check_payload(message); });
    CHECK_THAT(words, holds("damaged") && holds("layer 4"));
    for (at::ScalarType dtype : {at::kBFloat16, at::kFloat}) {
      const at::Tensor room = at::zeros({2, 5, 2, 8}, dtype);
      CHECK(error_of([&] { kvcodec::check_and_decode_layer_into(message, room[0], room[1]); }) == words);
    }
  }
}

TEST_CASE("a message that has to wait gets memory of its own, and the checksum of what stands there") {
  wire::WireMessage message = wire::read_message(kvcodec::encode_layer(example_layer(), example_envelope()));
  const std::vector<OwnedBytes> came = message.payload;
  CHECK(wire::detach(message) == message.envelope.checksum);
  for (std::size_t i = 0; i < came.size(); ++i) {
    CHECK(message.payload[i].data() != came[i].data());
    CHECK(message.payload[i].text() == came[i].text());
  }
}

TEST_CASE("a layer without tokens travels") {
  const kvcodec::LayerKv empty{.keys = at::empty({0, 2, 8}), .values = at::empty({0, 2, 8}), .positions = {}};
  const kvcodec::LayerKv received = through_the_wire(empty);
  CHECK(received.keys.sizes() == at::IntArrayRef({0, 2, 8}));
  CHECK(received.tokens() == 0);
  CHECK(kvcodec::LayerKv{}.tokens() == 0);
  const at::Tensor room = at::empty({0, 2, 8});
  kvcodec::check_and_decode_layer_into(wire::read_message(kvcodec::encode_layer(empty, example_envelope())), room,
                                       room);
}

TEST_CASE("a layer that does not fit itself is not sent") {
  const auto refused = [](auto edit) {
    kvcodec::LayerKv layer = example_layer();
    edit(layer);
    return error_of([&] { kvcodec::encode_layer(layer, example_envelope()); });
  };
  CHECK_THAT(refused([](auto& layer) { layer.positions.pop_back(); }), holds("5 tokens, but 1 positions"));
  CHECK_THAT(refused([](auto& layer) {
               layer.values = at::randn({4, 2, 8});
             }),
             holds("[5, 2, 8]") && holds("[4, 2, 8]"));
  CHECK_THAT(refused([](auto& layer) { layer.values = layer.values.to(at::kHalf); }), holds("Half"));
  CHECK_THAT(refused([](auto& layer) { layer.values = at::Tensor(); }), holds("[tokens, kv_heads, head_dim]"));
  CHECK_THAT(refused([](auto& layer) {
               layer.keys = layer.keys.to(at::kDouble);
               layer.values = layer.values.to(at::kDouble);
             }),
             holds("Double"));
}

TEST_CASE("a layer that does not fit the receiver is refused with both numbers") {
  const auto as_it_is = [](auto&) {};
  CHECK(refusal(2, 8, as_it_is).empty());
  CHECK_THAT(refusal(4, 8, as_it_is), holds("2 kv heads") && holds("has 4 of 8") && holds("edge reader -> solver"));
  CHECK_THAT(refusal(2, 16, as_it_is), holds("dimension 8") && holds("has 2 of 16"));
}

TEST_CASE("a layer with other tensors than keys and values is refused") {
  CHECK_THAT(refusal(2, 8, [](auto& message) { message.envelope.tensors[0].name = "quays"; }), holds("\"keys\""));
  CHECK_THAT(refusal(2, 8, [](auto& message) { message.envelope.tensors.pop_back(); }), holds("two tensors"));
  CHECK_THAT(refusal(2, 8, [](auto& message) { message.envelope.tensors[1].shape = {10, 8}; }), holds("2 axes"));
  CHECK_THAT(refusal(2, 8, [](auto& message) { message.envelope.tensors[1].shape[0] = 4; }), holds("5 rows"));
  CHECK_THAT(refusal(2, 8, [](auto& message) { message.envelope.kind = wire::Medium::kText; }), holds("expected"));
}

TEST_CASE("vectors and a state travel as one tensor") {
  wire::Envelope envelope = example_envelope();
  envelope.kind = wire::Medium::kEmbedding;
  const at::Tensor vectors = at::randn({3, 16});
  const std::vector<OwnedBytes> frames = kvcodec::encode_tensor(vectors, "vectors", envelope);
  CHECK(frames.at(1).data() == vectors.data_ptr());
  const wire::WireMessage message = wire::decode_message(frames);
  CHECK(message.envelope.kind == wire::Medium::kEmbedding);
  CHECK(at::equal(kvcodec::decode_tensor(message, "vectors"), vectors));
  CHECK_THAT(error_of([&] { kvcodec::decode_tensor(message, "state"); }), holds("no tensor \"state\""));
}

TEST_CASE("text travels, the empty one too") {
  for (const std::string& text : {std::string(), std::string("fünf\n"), std::string("a\0b", 3)}) {
    const wire::WireMessage message = wire::decode_message(kvcodec::encode_text(text, example_envelope()));
    CHECK(message.envelope.kind == wire::Medium::kText);
    CHECK(kvcodec::decode_text(message) == text);
  }
  const wire::WireMessage kv = wire::decode_message(kvcodec::encode_layer(example_layer(), example_envelope()));
  CHECK_THAT(error_of([&] { kvcodec::decode_text(kv); }), holds("\"text\" of u8"));
}
