#include "kvcodec/wire/manifest.hpp"

#include <catch2/catch.hpp>

#include "tests/kvcodec/wire_fixture.hpp"

using namespace kvmesh;
using namespace kvmesh::test;
using nlohmann::json;

TEST_CASE("a manifest comes back as it went") {
  wire::Manifest manifest = example_manifest();
  manifest.rope_scaling = R"({"factor":8.0,"rope_type":"llama3"})";
  manifest.rope_theta = 500000.25;
  manifest.rope_depends_on_length = true;
  CHECK(wire::manifest_from_json(wire::to_json(manifest)) == manifest);
}

TEST_CASE("a manifest's missing and mistyped fields are named, unknown ones skipped") {
  const json whole = json::parse(wire::to_json(example_manifest()));
  for (const auto& field : whole.items()) {
    json poorer = whole;
    poorer.erase(field.key());
    CHECK_THAT(error_of([&] { wire::manifest_from_json(poorer.dump()); }),
               holds(cat("manifest: field \"", field.key(), "\" is missing")));
    json other = whole;
    other[field.key()] = json::array();
    CHECK_THAT(error_of([&] { wire::manifest_from_json(other.dump()); }), holds(cat("\"", field.key(), "\" is array")));
  }
  json richer = whole;
  richer["novel"] = 1;
  CHECK(wire::manifest_from_json(richer.dump()) == example_manifest());
  CHECK_THAT(error_of([] { wire::manifest_from_json("{"); }), holds("not JSON"));
}

TEST_CASE("the hash covers what the ends must agree on and nothing else") {
  const wire::Manifest base = example_manifest();
  const auto hash_with = [&](auto edit) {
    wire::Manifest manifest = base;
    edit(manifest);
    return manifest.hash();
  };
  CHECK(base.hash().size() == 16);
  CHECK(hash_with([](auto& m) { m.family = "qwen2"; }) != base.hash());
  CHECK(hash_with([](auto& m) { m.num_key_value_heads = 2; }) != base.hash());
  CHECK(hash_with([](auto& m) { m.head_dim = 4; }) != base.hash());
  CHECK(hash_with([](auto& m) { m.rope_theta = 500000; }) != base.hash());
  CHECK(hash_with([](auto& m) { m.rope_scaling = "{}"; }) != base.hash());
  CHECK(hash_with([](auto& m) { m.position_convention = "restart"; }) != base.hash());
  CHECK(hash_with([](auto& m) { m.num_hidden_layers = 2; }) == base.hash());
  CHECK(hash_with([](auto& m) { m.hidden_size = 2; }) == base.hash());
  CHECK(hash_with([](auto& m) { m.max_position_embeddings = 2; }) == base.hash());
}

TEST_CASE("each field that differs is named with both values") {
  wire::Manifest receiver = example_manifest();
  CHECK(wire::differences(example_manifest(), receiver).empty());
  receiver.num_hidden_layers = 99;
  CHECK(wire::differences(example_manifest(), receiver).empty());
  receiver.head_dim = 128;
  receiver.family = "qwen2";
  const std::vector<std::string> lines = wire::differences(example_manifest(), receiver);
  CHECK(lines == std::vector<std::string>{"family: \"llama\" against \"qwen2\"", "head_dim: 2 against 128"});
}
