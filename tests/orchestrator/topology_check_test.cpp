#include "orchestrator/topology_check.hpp"

#include <catch2/catch.hpp>
#include <functional>

#include "topology_fixture.hpp"

using namespace kvmesh;
using namespace kvmesh::orchestrator;
using namespace kvmesh::orchestrator::test;
using Catch::Matchers::Contains;

namespace {

/// What is wrong with reader -> solver; the receiver is another model where `change` makes it one.
std::vector<std::string> problems(const std::string& options, const std::function<void(wire::Manifest&)>& change = {},
                                  const std::string& prompt = "{question}") {
  wire::Manifest receiver = manifest();
  if (change) change(receiver);
  return check_ends(Folder().parse(pair(options, prompt)), {{"reader", manifest()}, {"solver", receiver}});
}

}  // namespace

TEST_CASE("ends of one model fit over every medium") {
  CHECK(problems("medium: kv, layers: [0-7]").empty());
  CHECK(problems("medium: kv, layers: {top: 8}").empty());
  CHECK(problems("medium: text", {}, "{from.reader}").empty());
  CHECK(problems("medium: embedding", {}, "{from.reader}").empty());
  CHECK(problems("medium: activation, from_layer: 7, to_layer: 7").empty());
}

TEST_CASE("each agreed field that differs is named with both values") {
  const auto found = problems("medium: kv", [](wire::Manifest& m) { m.head_dim = 64, m.num_key_value_heads = 8; });
  REQUIRE(found.size() == 2);
  const std::string both = found[0] + found[1];
  CHECK_THAT(both, Contains("mesh.yaml:9: edge reader -> solver (kv)"));
  CHECK_THAT(both, Contains("head_dim") && Contains("32") && Contains("64"));
  CHECK_THAT(both, Contains("num_key_value_heads") && Contains("2") && Contains("8"));
}

TEST_CASE("depth and width may differ on a kv edge") {
  CHECK(problems("medium: kv", [](wire::Manifest& m) { m.num_hidden_layers = 4, m.hidden_size = 64; }).empty());
}

TEST_CASE("text needs no agreement") {
  CHECK(problems(
            "medium: text", [](wire::Manifest& m) { m.family = "qwen2", m.head_dim = 64; }, "{from.reader}")
            .empty());
}

TEST_CASE("layers beyond the receiver's depth are refused with the numbers") {
  const auto shallow = [](wire::Manifest& m) { m.num_hidden_layers = 4; };
  CHECK_THAT(problems("medium: kv, layers: [0, 4]", shallow).at(0), Contains("layer 4") && Contains("0 to 3"));
  CHECK_THAT(problems("medium: kv, layers: {heads: {4: [0]}}", shallow).at(0),
             Contains("heads of layer 4") && Contains("0 to 3"));
  const auto two_heads = [](wire::Manifest& m) { m.num_key_value_heads = 2; };
  CHECK_THAT(problems("medium: kv, layers: {heads: {1: [0, 2], 2: all}}", two_heads).back(),
             Contains("KV head 2 of layer 1") && Contains("KV heads 0 to 1"));
  CHECK_THAT(problems("medium: kv, layers: {top: 5}", shallow).at(0), Contains("top 5") && Contains("has 4"));
  CHECK_THAT(problems("medium: activation, from_layer: 7, to_layer: 4", shallow).at(0),
             Contains("to_layer is 4") && Contains("solver") && Contains("0 to 3"));
  CHECK_THAT(problems("medium: activation, from_layer: 8, to_layer: 0").at(0),
             Contains("from_layer is 8") && Contains("reader") && Contains("0 to 7"));
}

TEST_CASE("embeddings of unequal width are refused with both") {
  CHECK_THAT(problems(
                 "medium: embedding", [](wire::Manifest& m) { m.hidden_size = 256; }, "{from.reader}")
                 .at(0),
             Contains("128") && Contains("256"));
}

TEST_CASE("RoPE that depends on the length cannot be shared") {
  const auto found = check_ends(Folder().parse(pair()), [] {
    wire::Manifest dynamic = manifest();
    dynamic.rope_depends_on_length = true;
    dynamic.rope_scaling = "{\"rope_type\":\"dynamic\"}";
    return std::map<std::string, wire::Manifest>{{"reader", dynamic}, {"solver", dynamic}};
  }());
  REQUIRE(found.size() == 1);
  CHECK_THAT(found[0], Contains("dynamic") && Contains("length"));
}

TEST_CASE("a topology built in code is held to what files are held to, in errors that name the call") {
  const auto complaint_of = [](const std::function<void(Topology&)>& spoil) {
    Topology topology = Folder().parse(pair());
    topology.file.clear();
    spoil(topology);
    try {
      check_topology(topology, "Orchestrator");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::kFixInput);
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK(complaint_of([](Topology&) {}).empty());
  const std::vector<std::pair<std::function<void(Topology&)>, std::string>> mistakes{
      {[](Topology& t) { t.name = "a mesh"; }, "\"a mesh\""},
      {[](Topology& t) { t.agents.clear(); }, "agents is empty"},
      {[](Topology& t) { t.models.clear(); }, "models is empty"},
      {[](Topology& t) { t.models.at("tiny").path.clear(); }, "model tiny has no path"},
      {[](Topology& t) { t.models.at("tiny").device = "gpu"; }, "\"gpu\"; write cpu or cuda:0"},
      {[](Topology& t) { t.models.at("tiny").dtype = "fp8"; }, "\"fp8\""},
      {[](Topology& t) { t.agents[1].name = "reader"; }, "agent reader stands in the topology twice"},
      {[](Topology& t) { t.agents[1].model = "big"; }, "model \"big\", which is not defined"},
      {[](Topology& t) { t.agents[1].prompt = "{"; }, "never closed"},
      {[](Topology& t) { t.agents[1].keep_mib = -7; }, "keep_mib is -7"},
      {[](Topology& t) { t.agents[1].generate = GenerateSpec{.max_tokens = 0, .sampling = {}, .stop = {}}; },
       "max_tokens is 0"},
      {[](Topology& t) { t.edges[0].spec.to = "nobody"; }, "agent \"nobody\", which is not defined"},
      {[](Topology& t) { t.edges[0].spec.layers.ratio = 1.5; }, "\"ratio\" of layers is 1.5"},
      {[](Topology& t) { t.edges[0].spec.temperature = 0.1; }, "option of embedding edges"},
      {[](Topology& t) {
         t.edges[0].spec.layers = {.kind = wire::LayerChoice::Kind::kExplicit, .layers = {3, 3}};
       },
       "twice"},
      {[](Topology& t) { t.output = "nobody"; }, "output names agent \"nobody\""},
  };
  for (const auto& [spoil, words] : mistakes)
    CHECK_THAT(complaint_of(spoil), Contains("Orchestrator: topology ") && Contains(words));
}

TEST_CASE("names are letters, digits, underscore, hyphen and dot, and not dots alone") {
  CHECK(is_name("Reader-2.b_c"));
  for (const char* name : {"", "..", "a b", "a/b", "a;b", "\xc3\xa9"}) CHECK_FALSE(is_name(name));
}
