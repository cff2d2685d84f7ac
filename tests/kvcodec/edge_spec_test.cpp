#include "kvcodec/wire/edge_spec.hpp"

#include <catch2/catch.hpp>

#include "tests/kvcodec/wire_fixture.hpp"

using namespace kvmesh;
using namespace kvmesh::test;
using nlohmann::json;

namespace {

wire::EdgeSpec unusual_edge() {
  wire::EdgeSpec edge;
  edge.from = "reader";
  edge.to = "solver";
  edge.medium = wire::Medium::kActivation;
  edge.layers = {.kind = wire::LayerChoice::Kind::kExplicit,
                 .ratio = 0.25,
                 .top = 3,
                 .layers = {0, 4, 5},
                 .seed = UINT64_MAX,
                 .alpha = 0.5,
                 .mu = 0.25,
                 .sigma = 2};
  edge.share = wire::Share::kPromptAndOutput;
  edge.forward = true;
  edge.recalibrate_every = 5;
  edge.mask = wire::Mask::kAuthors;
  edge.positions = wire::Positions::kOverlap;
  edge.max_tokens = 7;
  edge.temperature = 0.1;
  edge.from_layer = -1;
  edge.to_layer = 2;
  edge.combine = wire::Combine::kMean;
  return edge;
}

}  // namespace

TEST_CASE("an edge comes back as it went") {
  CHECK(wire::edge_spec_from_json(wire::to_json(unusual_edge())) == unusual_edge());
  wire::EdgeSpec heads{.from = "a", .to = "b"};
  heads.layers.kind = wire::LayerChoice::Kind::kHeads;
  heads.layers.heads = {{.layer = 8, .heads = {0, 2}}, {.layer = 17, .heads = {}}};
  CHECK(wire::edge_spec_from_json(wire::to_json(heads)) == heads);
  wire::EdgeSpec best{.from = "a", .to = "b"};
  best.layers.unit = wire::Unit::kHead;
  CHECK(wire::edge_spec_from_json(wire::to_json(best)) == best);
  for (const wire::EdgeSpec& edge : {heads, best})
    CHECK_THAT(wire::to_json(edge), holds("\"heads\"") && holds("\"needs\""));
  const wire::EdgeSpec plain{.from = "a", .to = "b"};
  CHECK(wire::edge_spec_from_json(wire::to_json(plain)) == plain);
}

TEST_CASE("layers by loss come back, and are refused by who does not know them") {
  wire::EdgeSpec edge{.from = "a", .to = "b"};
  edge.layers = {.kind = wire::LayerChoice::Kind::kBytesPerToken, .bytes_per_token = 4096};
  CHECK(wire::edge_spec_from_json(wire::to_json(edge)) == edge);
  CHECK(json::parse(wire::to_json(edge))["needs"] == json::array({"loss"}));
  edge.layers.by = wire::By::kAttention;
  CHECK(wire::edge_spec_from_json(wire::to_json(edge)) == edge);
  CHECK_FALSE(json::parse(wire::to_json(edge)).contains("needs"));
  json newer = json::parse(wire::to_json(edge));
  newer["needs"] = {"loss", "telepathy"};
  CHECK_THAT(error_of([&] { wire::edge_spec_from_json(newer.dump()); }), holds("telepathy"));
}

TEST_CASE("a choice that does not say by what was written by a build that knew attention alone") {
  json older = json::parse(wire::to_json({.from = "a", .to = "b"}));
  older.erase("needs");
  older["layers"].erase("by");
  CHECK(wire::edge_spec_from_json(older.dump()).layers.by == wire::By::kAttention);
}

TEST_CASE("every medium has a name and is found by it") {
  for (wire::Medium medium :
       {wire::Medium::kKv, wire::Medium::kText, wire::Medium::kEmbedding, wire::Medium::kActivation}) {
    CHECK(wire::find_medium(wire::to_string(medium)) == medium);
  }
  CHECK_FALSE(wire::find_medium("smell").has_value());
  CHECK(wire::describe({.from = "reader", .to = "solver"}) == "reader -> solver (kv)");
}

TEST_CASE("an edge's missing fields are named") {
  const json whole = json::parse(wire::to_json(unusual_edge()));
  for (const auto& field : whole.items()) {
    json poorer = whole;
    poorer.erase(field.key());
    CHECK_THAT(error_of([&] { wire::edge_spec_from_json(poorer.dump()); }),
               holds(cat("field \"", field.key(), "\" is missing")));
  }
  for (const auto& field : whole["layers"].items()) {
    json poorer = whole;
    poorer["layers"].erase(field.key());
    CHECK_THAT(error_of([&] { wire::edge_spec_from_json(poorer.dump()); }),
               holds(cat("layers of an edge: field \"", field.key(), "\" is missing")));
  }
}

TEST_CASE("an edge's mistyped fields and unknown words are named") {
  json other = json::parse(wire::to_json(unusual_edge()));
  other["forward"] = 1;
  CHECK_THAT(error_of([&] { wire::edge_spec_from_json(other.dump()); }), holds("\"forward\" is number"));
  other = json::parse(wire::to_json(unusual_edge()));
  other["combine"] = "product";
  CHECK_THAT(error_of([&] { wire::edge_spec_from_json(other.dump()); }), holds("\"combine\"") && holds("\"product\""));
}
