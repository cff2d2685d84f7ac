#include "kvcodec/layer_selection.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "tests/kvcodec/wire_fixture.hpp"

using namespace kvmesh;
using namespace kvmesh::test;
using kvcodec::describe_selection;
using kvcodec::layer_count;
using kvcodec::select_layers;
using wire::LayerChoice;
using Kind = wire::LayerChoice::Kind;
using Layers = std::vector<int>;

namespace {

const kvcodec::EdgeMeasures kMeasured{.importances = {0.1, 0.5, 0.3, 0.2, 0.9, 0.4, 0.8, 0.05},
                                      .best_sets = {{}, {5}, {2, 7}, {2, 5, 7}, {0, 1, 2, 3, 4, 5, 6, 7}},
                                      .layer_bytes = 100};
constexpr wire::By kAttention = wire::By::kAttention;

Layers contiguous(double ratio, int num_layers, double mu = 0.5) {
  return select_layers({.kind = Kind::kContiguous, .ratio = ratio, .mu = mu}, num_layers, {}, 0);
}

Layers random(std::uint64_t seed, std::uint64_t record, int num_layers = 32, double ratio = 0.5) {
  return select_layers({.kind = Kind::kRandom, .ratio = ratio, .seed = seed}, num_layers, {}, record);
}

}  // namespace

TEST_CASE("a ratio's share of the layers is the floor, whatever binary makes of the product") {
  CHECK(layer_count(0.3, 10) == 3);
  CHECK(layer_count(0.7, 10) == 7);
  CHECK(layer_count(0.29, 100) == 29);
  CHECK(layer_count(0.3, 8) == 2);
  CHECK(layer_count(0.999, 8) == 7);
  CHECK(layer_count(0, 8) == 0);
  CHECK(layer_count(1, 8) == 8);
  for (int layers = 1; layers <= 200; ++layers) {
    for (int percent = 0; percent <= 100; ++percent) {
      REQUIRE(layer_count(percent / 100.0, layers) == percent * layers / 100);
    }
  }
}

TEST_CASE("a ratio takes the best of the ranking, sorted") {
  CHECK(select_layers({.kind = Kind::kRatio, .ratio = 0.3, .by = kAttention}, 8, kMeasured, 0) == Layers{4, 6});
  CHECK(select_layers({.kind = Kind::kRatio, .ratio = 0.0, .by = kAttention}, 8, kMeasured, 0).empty());
  CHECK(select_layers({.kind = Kind::kTop, .top = 3, .by = kAttention}, 8, kMeasured, 0) == Layers{1, 4, 6});
  CHECK(select_layers({.kind = Kind::kRatio, .ratio = 0.25, .by = kAttention, .alpha = 0, .sigma = 1}, 8, kMeasured,
                      0) == Layers{3, 4});
}

TEST_CASE(
    "by loss, which is what is meant where nothing is said, the best set of the size that a search found is taken") {
  CHECK(select_layers({.kind = Kind::kRatio, .ratio = 0.3}, 8, kMeasured, 0) == Layers{2, 7});
  CHECK(select_layers({.kind = Kind::kTop, .top = 1}, 8, kMeasured, 0) == Layers{5});
  CHECK(select_layers({.kind = Kind::kTop, .top = 3, .by = wire::By::kLoss}, 8, kMeasured, 0) == Layers{2, 5, 7});
  CHECK(select_layers({.kind = Kind::kTop, .top = 7}, 8, kMeasured, 0) == Layers{2, 5, 7});  // the search left some out
  CHECK(select_layers({.kind = Kind::kRatio, .ratio = 1}, 3, {}, 0) == Layers{0, 1, 2});
}

TEST_CASE("bytes per token buy as many of the best layers as fit") {
  CHECK(select_layers({.kind = Kind::kBytesPerToken, .bytes_per_token = 299}, 8, kMeasured, 0) == Layers{2, 7});
  CHECK(select_layers({.kind = Kind::kBytesPerToken, .bytes_per_token = 300}, 8, kMeasured, 0) == Layers{2, 5, 7});
  CHECK(select_layers({.kind = Kind::kBytesPerToken, .bytes_per_token = 99}, 8, kMeasured, 0).empty());
  CHECK(select_layers({.kind = Kind::kBytesPerToken, .bytes_per_token = 9999}, 8, kMeasured, 0).size() == 8);
  CHECK(select_layers({.kind = Kind::kBytesPerToken, .bytes_per_token = 100, .by = kAttention}, 8, kMeasured, 0) ==
        Layers{4});
}

TEST_CASE("a layer's bytes per token are those of keys and values as they travel, scales and zeros included") {
  using wire::WireDtype;
  CHECK(kvcodec::row_bytes(WireDtype::kSame, 3, 64, 4) == 2 * 3 * 64 * 4);
  CHECK(kvcodec::row_bytes(WireDtype::kBFloat16, 3, 64, 4) == 2 * 3 * 64 * 2);
  // 64 tokens: codes, and a scale and a zero of two bytes for each channel of the keys and each token of the values
  CHECK(64 * kvcodec::row_bytes(WireDtype::kInt8, 3, 64, 4) == 2 * 64 * 3 * 64 + 4 * 3 * 64 + 4 * 64 * 3);
  CHECK(64 * kvcodec::row_bytes(WireDtype::kInt4, 1, 32, 2) == 64 * 32 + 4 * 32 + 4 * 64);
}

TEST_CASE("all and explicit layers need no scores") {
  CHECK(select_layers({.kind = Kind::kAll}, 3, {}, 0) == Layers{0, 1, 2});
  CHECK(select_layers({.kind = Kind::kExplicit, .layers = {5, 2, 5}}, 8, {}, 0) == Layers{2, 5});
  CHECK(select_layers({.kind = Kind::kExplicit}, 8, {}, 0).empty());
}

TEST_CASE("contiguous layers stand around mu, rounded half to even and kept inside the model") {
  CHECK(contiguous(0.25, 8) == Layers{3, 4});      // 3.5 - 0.5 = 3
  CHECK(contiguous(0.375, 8) == Layers{2, 3, 4});  // 3.5 - 1 = 2.5, to even
  CHECK(contiguous(0.125, 8) == Layers{4});        // 3.5, to even
  CHECK(contiguous(0.5, 8, 0) == Layers{0, 1, 2, 3});
  CHECK(contiguous(0.5, 8, 1) == Layers{4, 5, 6, 7});
  CHECK(contiguous(1, 3) == Layers{0, 1, 2});
  CHECK(contiguous(0, 8, 1).empty());
}

TEST_CASE("random layers depend on seed and record alone") {
  CHECK(random(1, 0) == random(1, 0));
  CHECK(random(1, 0) != random(1, 1));
  CHECK(random(1, 0) != random(2, 0));
  CHECK(random(0, 1) != random(1, 0));
  CHECK(random(std::uint64_t{1} << 32, 0) != random(0, 0));
}

TEST_CASE("random layers are the numbers written down here, on every platform") {
  CHECK(random(42, 0, 8, 0.5) == Layers{1, 2, 4, 6});
  CHECK(random(42, 1, 8, 0.5) == Layers{2, 3, 6, 7});
}

TEST_CASE("random layers are distinct, in range, as many as asked for, and every layer has its turn") {
  std::vector<int> drawn(8, 0);
  for (std::uint64_t record = 0; record < 4000; ++record) {
    const Layers layers = random(3, record, 8, 0.25);
    REQUIRE(layers.size() == 2);
    REQUIRE(layers[0] < layers[1]);
    for (int layer : layers) ++drawn.at(static_cast<std::size_t>(layer));
  }
  for (int times : drawn) CHECK(std::abs(times - 1000) < 150);  // five standard deviations
}

TEST_CASE("a choice that does not fit the model is refused with the numbers") {
  const auto refusal = [](const LayerChoice& choice, const kvcodec::EdgeMeasures& measured = kMeasured) {
    return error_of([&] { select_layers(choice, 8, measured, 0); });
  };
  CHECK_THAT(refusal({.kind = Kind::kExplicit, .layers = {0, 8}}), holds("layer 8") && holds("8 layers (0 to 7)"));
  CHECK_THAT(refusal({.kind = Kind::kExplicit, .layers = {-1}}), holds("layer -1"));
  CHECK_THAT(refusal({.kind = Kind::kTop, .top = 9}), holds("top: 9") && holds("8 layers"));
  CHECK_THAT(refusal({.kind = Kind::kRatio, .ratio = 1.01}), holds("1.01"));
  CHECK_THAT(refusal({.kind = Kind::kRandom, .ratio = -0.1}), holds("-0.1"));
  CHECK_THAT(refusal({.kind = Kind::kContiguous, .ratio = 2}), holds("ratio of layers is 2"));
  CHECK_THAT(refusal({.kind = Kind::kRatio, .by = kAttention}, {}),
             holds("scores for 0 of 8 layers") && holds("calibrate"));
  CHECK_THAT(refusal({.kind = Kind::kTop, .top = 1, .by = kAttention}, {.importances = {1, 2, 3, 4, 5, 6, 7}}),
             holds("7 of 8"));
  CHECK_THAT(refusal({.kind = Kind::kRatio}, {}), holds("no search has been made") && holds("calibrate"));
  CHECK_THAT(refusal({.kind = Kind::kBytesPerToken, .bytes_per_token = 9}, {}), holds("bytes_per_token"));
}

TEST_CASE("a selection is told as layers and layer 0") {
  CHECK(describe_selection({4, 6}, 8) == "2 of 8 + layer 0");
  CHECK(describe_selection({0, 6}, 8) == "2 of 8");
  CHECK(describe_selection({}, 8) == "0 of 8 + layer 0");
  CHECK(describe_selection({0, 1, 2}, 3) == "3 of 3");
  CHECK(describe_selection({4, 6}, 8, /*first_besides=*/false) == "2 of 8");
}

TEST_CASE("the best single heads are named layer by layer, as many as the choice asks for") {
  // Of four layers with two KV heads each: head h of layer l is number 2 l + h.
  const kvcodec::EdgeMeasures measured{.importances = {},
                                       .best_sets = {{}, {5}, {2, 5}, {2, 3, 5}},
                                       .heads = 2,
                                       .layer_bytes = 100};
  const auto named = [&](LayerChoice choice) {
    choice.unit = wire::Unit::kHead;
    return kvcodec::with_heads_named(choice, 4, 2, measured);
  };
  const LayerChoice three = named({.kind = Kind::kTop, .top = 3});
  CHECK(three.kind == Kind::kHeads);
  CHECK((three.heads == std::vector<wire::HeadsOfLayer>{{1, {0, 1}}, {2, {1}}}));
  CHECK(kvcodec::heads_at(three, 1, 2).empty());  // all of them
  CHECK(kvcodec::heads_at(three, 2, 2) == Layers{1});
  CHECK(kvcodec::describe_heads(three, 4, 2) == "3 of 8 heads");
  CHECK((named({.kind = Kind::kRatio, .ratio = 0.25}).heads == std::vector<wire::HeadsOfLayer>{{1, {0}}, {2, {1}}}));
  CHECK((named({.kind = Kind::kBytesPerToken, .bytes_per_token = 99}).heads ==
         std::vector<wire::HeadsOfLayer>{{2, {1}}}));
  CHECK(named({.kind = Kind::kRatio, .ratio = 1}).heads.size() == 4);
  CHECK(named({.kind = Kind::kTop, .top = 0}).heads.empty());
  CHECK_THAT(error_of([&] { named({.kind = Kind::kTop, .top = 9}); }), holds("8 KV heads"));
}

TEST_CASE("heads that were measured choose no layers, and layers no heads") {
  kvcodec::EdgeMeasures heads{.importances = {}, .best_sets = {{}, {5}}, .heads = 2, .layer_bytes = 100};
  CHECK_THAT(error_of([&] { select_layers({.kind = Kind::kTop, .top = 1}, 4, heads, 0); }), holds("calibrate"));
  LayerChoice choice{.kind = Kind::kTop, .top = 1};
  choice.unit = wire::Unit::kHead;
  heads.heads = 0;
  CHECK_THAT(error_of([&] { kvcodec::with_heads_named(choice, 4, 2, heads); }), holds("calibrate"));
}
