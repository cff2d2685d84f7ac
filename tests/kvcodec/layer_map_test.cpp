#include "kvcodec/layer_map.hpp"

#include <catch2/catch.hpp>

#include "tests/kvcodec/wire_fixture.hpp"

using namespace kvmesh;
using namespace kvmesh::test;
using kvcodec::LayerMap;
using Layers = std::vector<int>;

namespace {

/// Sources by receiver layer, -1 for an unserved one.
Layers sources(const LayerMap& map) {
  Layers layers;
  for (int layer = 0; layer < map.receiver_layers(); ++layer) layers.push_back(map.source(layer).value_or(-1));
  return layers;
}

Layers sinks(const LayerMap& map) {
  Layers layers;
  for (int layer = 0; layer < map.receiver_layers(); ++layer) layers.push_back(map.sink_source(layer));
  return layers;
}

}  // namespace

TEST_CASE("models of one depth map layer to layer") {
  for (int depth : {1, 8, 28, 80}) {
    const LayerMap map(depth, depth);
    for (int layer = 0; layer < depth; ++layer) {
      REQUIRE(map.source(layer) == layer);
      REQUIRE(map.sink_source(layer) == layer);
    }
    CHECK(map.first_layers() == Layers{0});
  }
}

TEST_CASE("a shallower sender leaves holes, halves go to the even layer, and holes keep the nearest sink") {
  const LayerMap map(4, 8);  // falls on 0.5, 2.5, 4.5, 6.5
  CHECK(sources(map) == Layers{0, -1, 1, -1, 2, -1, 3, -1});
  CHECK(sinks(map) == Layers{0, 0, 1, 1, 2, 2, 3, 3});
  CHECK(map.first_layers() == Layers{0});
}

TEST_CASE("of two sender layers equally near the lower one serves") {
  CHECK(sources(LayerMap(8, 4)) == Layers{0, 2, 4, 6});
  CHECK(sources(LayerMap(4, 1)) == Layers{1});  // falls on -0.375, -0.125, 0.125, 0.375
}

TEST_CASE("of two sender layers the nearer one serves") { CHECK(sources(LayerMap(5, 2)) == Layers{1, 3}); }

TEST_CASE("depths that share no factor map as exact fractions say") {
  // From Python's fractions.Fraction and its round(), which is half to even.
  CHECK(sources(LayerMap(28, 24)) ==
        Layers{0, 1, 2, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 18, 19, 20, 21, 22, 23, 25, 26, 27});
  CHECK(sources(LayerMap(24, 28)) ==
        Layers{0, 1, 2, -1, 3, 4, 5, 6, 7, 8, -1, 9, 10, 11, 12, 13, 14, -1, 15, 16, 17, 18, 19, 20, -1, 21, 22, 23});
  CHECK(sources(LayerMap(16, 28)) ==
        Layers{0, -1, 1, -1, 2, -1, 3, 4, -1, 5, -1, 6, -1, 7, 8, -1, 9, -1, 10, -1, 11, 12, -1, 13, -1, 14, -1, 15});
}

TEST_CASE("where sender layer 0 serves another layer, both count as layer 0") {
  const LayerMap map(3, 8);
  CHECK(sources(map) == Layers{-1, 0, -1, -1, 1, -1, 2, -1});
  CHECK(sinks(map) == Layers{0, 0, 0, 1, 1, 1, 2, 2});
  CHECK(map.first_layers() == Layers{0, 1});
}

TEST_CASE("a sender of one layer serves the middle and every sink") {
  for (int depth : {2, 3, 4, 6, 7}) {
    const LayerMap map(1, depth);
    CHECK(sinks(map) == Layers(static_cast<std::size_t>(depth), 0));
  }
  CHECK(LayerMap(1, 2).first_layers() == Layers{0});     // 0.5, to even
  CHECK(LayerMap(1, 3).first_layers() == Layers{0, 1});  // 1
  CHECK(LayerMap(1, 4).first_layers() == Layers{0, 2});  // 1.5, to even
  CHECK(LayerMap(1, 6).first_layers() == Layers{0, 2});  // 2.5, to even
}

TEST_CASE("a layer that the receiver does not have, or a model without layers, is refused") {
  const LayerMap map(4, 8);
  CHECK_THAT(error_of([&] { map.source(8); }), holds("layer 8") && holds("8 layers"));
  CHECK_THAT(error_of([&] { map.sink_source(-1); }), holds("layer -1"));
  CHECK_THAT(error_of([] { LayerMap(0, 8); }), holds("sender of 0"));
}
