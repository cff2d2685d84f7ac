#include "orchestrator/topology_yaml.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/places.hpp"
#include "topology_fixture.hpp"

using namespace kvmesh;
using namespace kvmesh::orchestrator;
using namespace kvmesh::orchestrator::test;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;
using wire::LayerChoice;

namespace {

/// A mistake, the line that it is to be found on, and words that its message has to say.
struct Mistake {
  std::string yaml;
  int line;
  std::vector<std::string> words;
};

void check_all(const std::vector<Mistake>& mistakes) {
  const Folder folder;
  for (const Mistake& mistake : mistakes) {
    INFO(mistake.yaml);
    const std::string complaint = folder.complaint(mistake.yaml);
    CHECK_THAT(complaint, StartsWith("mesh.yaml:" + std::to_string(mistake.line) + ": "));
    CHECK_THAT(complaint, Contains("; "));  // what to do
    for (const std::string& word : mistake.words) CHECK_THAT(complaint, Contains(word));
  }
}

wire::EdgeSpec edge_of(const std::string& options, const std::string& prompt = "{question}") {
  return Folder().parse(pair(options, prompt)).edges.at(0).spec;
}

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  const auto at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), by);
}

}  // namespace

TEST_CASE("the quickstart's topology is read as it stands") {
  const Topology topology = load_topology(kvmesh::test::source_dir() / "examples/quickstart/topology.yaml");
  CHECK(topology.name == "quickstart");
  REQUIRE(topology.agents.size() == 2);
  CHECK(topology.agents[0].name == "reader");
  CHECK(topology.agents[0].line == 7);
  CHECK_FALSE(topology.agents[0].generate);
  CHECK(topology.agents[1].generate->max_tokens == 16);
  REQUIRE(topology.edges.size() == 1);
  CHECK(topology.edges[0].spec.layers.kind == LayerChoice::Kind::kRatio);
  CHECK(topology.edges[0].spec.layers.ratio == 0.3);
  CHECK(topology.edges[0].line == 10);
  CHECK(topology.output == "solver");
  CHECK(topology.models.at("reader").path == kvmesh::test::source_dir() / "models/reader");
  CHECK(topology.calibration == kvmesh::test::source_dir() / "models/data/calibration.jsonl");
}

TEST_CASE("a model says its folder, dtype and device") {
  const Folder folder;
  const Topology topology =
      folder.parse(replaced(pair(), "{path: tiny}", "{path: ./tiny, dtype: bf16, device: \"cuda:1\"}"));
  const ModelSpec& model = topology.models.at("tiny");
  CHECK(model.path == folder.file("tiny"));
  CHECK(model.dtype == "bf16");
  CHECK(model.device == "cuda:1");
}

TEST_CASE("every form of a kv edge's layers is read") {
  CHECK(edge_of("medium: kv").layers == LayerChoice{});
  CHECK(edge_of("medium: kv, layers: all").layers.kind == LayerChoice::Kind::kAll);
  CHECK(edge_of("medium: kv, layers: []").layers.layers.empty());
  CHECK(edge_of("medium: kv, layers: [7, 0, 4-6]").layers.layers == std::vector<int>{0, 4, 5, 6, 7});
  const auto top = edge_of("medium: kv, layers: {top: 3, by: attention, alpha: 0.9, mu: 0.25, sigma: 2}").layers;
  CHECK(top.kind == LayerChoice::Kind::kTop);
  CHECK((top.top == 3 && top.by == wire::By::kAttention && top.alpha == 0.9 && top.mu == 0.25 && top.sigma == 2));
  const auto bytes = edge_of("medium: kv, layers: {bytes_per_token: 4096, by: loss}").layers;
  CHECK((bytes.kind == LayerChoice::Kind::kBytesPerToken && bytes.bytes_per_token == 4096));
  CHECK(bytes.by == wire::By::kLoss);
  CHECK(edge_of("medium: kv, layers: {ratio: 0.5}").layers.by == wire::By::kLoss);
  const auto random = edge_of("medium: kv, layers: {random: 0.5, seed: 18446744073709551615}").layers;
  CHECK((random.kind == LayerChoice::Kind::kRandom && random.ratio == 0.5 && random.seed == ~std::uint64_t{0}));
  const auto contiguous = edge_of("medium: kv, layers: {contiguous: 0.25, mu: 0.75}").layers;
  const auto heads = edge_of("medium: kv, layers: {heads: {17: all, 8: [2, 0], 3: [0-1]}}").layers;
  CHECK(heads.kind == LayerChoice::Kind::kHeads);
  CHECK(heads.heads == std::vector<wire::HeadsOfLayer>{{3, {0, 1}}, {8, {0, 2}}, {17, {}}});
  const auto unit = edge_of("medium: kv, layers: {ratio: 0.2, unit: head}").layers;
  CHECK((unit.kind == LayerChoice::Kind::kRatio && unit.unit == wire::Unit::kHead && unit.by_heads()));
  CHECK_FALSE(edge_of("medium: kv, layers: {top: 3, by: loss, unit: layer}").layers.by_heads());
  CHECK((contiguous.kind == LayerChoice::Kind::kContiguous && contiguous.ratio == 0.25 && contiguous.mu == 0.75));
}

TEST_CASE("every other option of an edge is read") {
  const auto kv = edge_of(
      "medium: kv, layers: {ratio: 0.3, by: attention}, share: prompt+output, max_tokens: 9, recalibrate: {every: 4}, "
      "reproduce: {mask: authors, positions: overlap}");
  CHECK((kv.share == wire::Share::kPromptAndOutput && kv.max_tokens == 9 && kv.recalibrate_every == 4));
  CHECK((kv.mask == wire::Mask::kAuthors && kv.positions == wire::Positions::kOverlap));
  CHECK(edge_of("medium: text", "{from.reader}").max_tokens == 128);
  const auto embedding = edge_of("medium: embedding, temperature: 1.5, max_tokens: 3", "{from.reader}");
  CHECK((embedding.temperature == 1.5 && embedding.max_tokens == 3));
  const auto activation = edge_of("medium: activation, from_layer: 5, to_layer: 2, combine: mean");
  CHECK((activation.from_layer == 5 && activation.to_layer == 2 && activation.combine == wire::Combine::kMean));
  const auto chain = Folder().parse(graph(edge("a", "b") + edge("b", "d", "medium: kv, forward: true")));
  CHECK(chain.edges.at(1).spec.forward);
}

TEST_CASE("an agent says how it draws its tokens, where it stops, and what its system message is") {
  const Topology topology = Folder().parse(replaced(
      pair(), "\"{question}\"}",
      "\"{question}\", system: \"Be {style}.\", generate: {max_tokens: 9, temperature: 0.7, top_k: 40, top_p: 0.9, "
      "min_p: 0.05, repetition_penalty: 1.1, seed: 18446744073709551615, stop: [\"\\n\", END]}}"));
  const AgentSpec& agent = topology.agents.at(1);
  CHECK(agent.system == "Be {style}.");
  CHECK(agent.generate->sampling == SamplingOptions{.temperature = 0.7,
                                                    .top_k = 40,
                                                    .top_p = 0.9,
                                                    .min_p = 0.05,
                                                    .repetition_penalty = 1.1,
                                                    .seed = ~std::uint64_t{0}});
  CHECK(agent.generate->stop == std::vector<std::string>{"\n", "END"});
}

TEST_CASE("an agent says how much it keeps for later requests") {
  CHECK(Folder().parse(pair()).agents.at(1).keep_mib == -1);
  CHECK(Folder().parse(pair()).keep_mib == -1);
  CHECK(Folder().parse(pair() + "keep_mib: 500\n").keep_mib == 500);
  CHECK(Folder().parse(replaced(pair(), "\"{question}\"}", "\"{question}\", keep_mib: 0}")).agents.at(1).keep_mib == 0);
  check_all({{replaced(pair(), "\"{question}\"}", "\"{question}\", keep_mib: -3}"), 7, {"keep_mib", "-3"}}});
}

TEST_CASE("an unknown key is refused with the one that was meant") {
  check_all({
      {replaced(pair(), "edges:", "egdes:"), 8, {"unknown key \"egdes\"", "did you mean \"edges\"?"}},
      {replaced(pair(), "{path: tiny}", "{path: tiny, dtpye: bf16}"), 4, {"\"dtpye\"", "model tiny", "\"dtype\"?"}},
      {replaced(pair(), "{model: tiny, prompt: \"{context}\"}", "{model: tiny, promt: x}"),
       6,
       {"\"promt\"", "\"prompt\"?"}},
      {pair("medium: kv, layer: all"), 9, {"\"layer\"", "\"layers\"?"}},
      {pair("medium: kv, layers: {ration: 0.3}"), 9, {"\"ration\"", "\"ratio\"?"}},
      {pair("medium: kv, layers: {random: 0.3, sead: 1}"), 9, {"\"sead\"", "\"seed\"?"}},
      {pair("medium: kv, recalibrate: {evry: 1}"), 9, {"\"evry\"", "\"every\"?"}},
      {pair("medium: kv, reproduce: {masc: authors}"), 9, {"\"masc\"", "\"mask\"?"}},
      {replaced(pair(), "\"{question}\"}", "\"{question}\", generate: {max_token: 3}}"), 7, {"\"max_tokens\"?"}},
      {replaced(pair(), "\"{question}\"}", "\"{question}\", generate: {top_q: 3}}"), 7, {"\"top_q\"", "\"top_k\"?"}},
  });
}

TEST_CASE("a value of the wrong type or out of range is refused") {
  check_all({
      {"- 1\n- 2\n", 1, {"the topology is a list"}},
      {replaced(pair(), "kvmesh: 1", "kvmesh: 2\nnovel: key"), 1, {"version 2", "reads version 1", "kvmesh: 1"}},
      {replaced(pair(), "kvmesh: 1", "kvmesh: one"), 1, {"version 1", "write kvmesh: 1"}},
      {replaced(pair(), "kvmesh: 1\n", ""), 1, {"no \"kvmesh\""}},
      {replaced(pair(), "name: mesh", "name: [a]"), 2, {"name", "a list"}},
      {replaced(pair(), "name: mesh", "name: a mesh"), 2, {"\"a mesh\"", "letters"}},
      {replaced(pair(), "{path: tiny}", "tiny"), 4, {"model tiny is \"tiny\"", "mapping"}},
      {replaced(pair(), "{path: tiny}", "{path: tiny, dtype: fp8}"), 4, {"\"fp8\"", "auto, fp32, bf16 or fp16"}},
      {replaced(pair(), "{path: tiny}", "{path: tiny, device: gpu}"), 4, {"\"gpu\"", "cuda:0"}},
      {replaced(pair(), "  reader: {", "  rea/der: {"), 6, {"\"rea/der\"", "letters"}},
      {replaced(pair(), "\"{context}\"}", "\"{context}\", chat: maybe}"), 6, {"chat", "true or false"}},
      {replaced(pair(), "\"{question}\"}", "\"{question}\", generate: 16}"), 7, {"generate", "\"16\"", "mapping"}},
      {replaced(pair(), "\"{question}\"}", "\"{question}\", generate: {max_tokens: 0}}"), 7, {"max_tokens", "is 0"}},
      {replaced(pair(), "\"{question}\"}", "\"{question}\", generate: {max_tokens: \"16\"}}"), 7, {"whole number"}},
      {replaced(pair(), "\"{question}\"}", "\"{question}\", generate: {temperature: -1}}"),
       7,
       {"temperature", "is -1"}},
      {replaced(pair(), "\"{question}\"}", "\"{question}\", generate: {top_p: 0.9}}"),
       7,
       {"top_p", "needs a temperature"}},
      {replaced(pair(), "\"{question}\"}", "\"{question}\", generate: {stop: END}}"), 7, {"stop", "list"}},
      {replaced(pair(), "\"{question}\"}", "\"{question}\", system: \"{from.reader}\"}"), 7, {"from.reader", "prompt"}},
      {replaced(pair(), "\"{question}\"}", "\"{question}\", chat: false, system: x}"), 7, {"chat", "false"}},
      {pair("medium: kvv"), 9, {"\"kvv\"", "did you mean \"kv\"?", "kv, text, embedding or activation"}},
      {pair("layers: all"), 9, {"no \"medium\""}},
      {pair("medium: kv, layers: some"), 9, {"\"some\"", "{ratio: 0.3}"}},
      {pair("medium: kv, layers: {ratio: 1.5}"), 9, {"ratio", "is 1.5", "from 0 to 1"}},
      {pair("medium: kv, layers: {ratio: nan}"), 9, {"ratio", "from 0 to 1"}},
      {pair("medium: kv, layers: {ratio: 0.3, top: 2}"), 9, {"ratio and top", "keep one"}},
      {pair("medium: kv, layers: {alpha: 0.3}"), 9, {"names no rule"}},
      {pair("medium: kv, layers: {ratio: 0.3, seed: 1}"), 9, {"unknown key \"seed\""}},
      {pair("medium: kv, layers: {ratio: 0.3, by: attention, sigma: 0}"), 9, {"sigma", "above 0"}},
      {pair("medium: kv, layers: {ratio: 0.3, alpha: 1}"), 9, {"\"alpha\"", "by: attention"}},
      {pair("medium: kv, layers: {top: 2, by: loss, mu: 0.5}"), 9, {"\"mu\"", "by: attention"}},
      {pair("medium: kv, layers: {top: 2, by: lost}"), 9, {"\"lost\"", "loss"}},
      {pair("medium: kv, layers: {random: 0.3, by: loss}"), 9, {"unknown key \"by\""}},
      {pair("medium: kv, layers: {bytes_per_token: 0}"), 9, {"bytes_per_token", "from 1"}},
      {pair("medium: kv, layers: {ratio: 0.3}, reproduce: {mask: authors}"), 9, {"reproduce", "by: attention"}},
      {pair("medium: kv, layers: {top: -1}"), 9, {"top", "is -1"}},
      {pair("medium: kv, layers: [4-]"), 9, {"\"4-\"", "4-9"}},
      {pair("medium: kv, layers: [9-4]"), 9, {"\"9-4\"", "lower end"}},
      {pair("medium: kv, layers: [4, 3-5]"), 9, {"layer 4", "twice"}},
      {pair("medium: kv, share: all"), 9, {"\"all\"", "prompt or prompt+output"}},
      {pair("medium: kv, recalibrate: {every: 0}"), 9, {"every", "is 0"}},
      {pair("medium: kv, layers: all, recalibrate: {every: 2}"), 9, {"recalibrate", "need none"}},
      {pair("medium: kv, reproduce: {}"), 9, {"reproduce", "is empty"}},
      {pair("medium: embedding, temperature: 0", "{from.reader}"), 9, {"temperature", "is 0"}},
      {pair("medium: activation, from_layer: 1"), 9, {"no \"to_layer\""}},
      {pair("medium: activation, from_layer: -1, to_layer: 1"), 9, {"from_layer", "is -1"}},
      {replaced(pair(), "output: solver", "output: [solver]"), 10, {"output", "a list"}},
      {replaced(pair(), "output: solver\n", ""), 1, {"no \"output\""}},
      {replaced(pair(), "edges:\n  -", "edges: 3 #"), 8, {"edges is \"3\"", "write a list"}},
  });
}

TEST_CASE("an option of another medium is refused with the media that it belongs to") {
  check_all({
      {pair("medium: text, layers: all", "{from.reader}"), 9, {"\"layers\"", "option of kv edges", "medium is text"}},
      {pair("medium: kv, temperature: 1"), 9, {"\"temperature\"", "option of embedding edges"}},
      {pair("medium: kv, from_layer: 1"), 9, {"\"from_layer\"", "option of activation edges"}},
      {pair("medium: text, forward: true", "{from.reader}"), 9, {"\"forward\"", "option of kv edges"}},
      {pair("medium: activation, from_layer: 1, to_layer: 1, max_tokens: 3"),
       9,
       {"\"max_tokens\"", "text and embedding"}},
      {pair("medium: kv, max_tokens: 3"), 9, {"\"max_tokens\"", "share: prompt+output"}},
  });
}

TEST_CASE("what names nothing, or names something twice, is refused") {
  check_all({
      {replaced(pair(), "{path: tiny}", "{path: gone}"), 4, {"/gone", "not there"}},
      {replaced(pair(), "{model: tiny, prompt: \"{context}\"}", "{model: big, prompt: x}"),
       6,
       {"\"big\"", "one of tiny"}},
      {replaced(pair(), "output: solver", "output: slover"), 10, {"\"slover\"", "reader, solver"}},
      {replaced(pair(), "from: reader", "from: writer"), 9, {"\"writer\"", "reader, solver"}},
      {replaced(pair(), "to: solver", "to: nowhere"), 9, {"\"nowhere\"", "reader, solver"}},
      {replaced(pair(), "to: solver", "to: reader"), 9, {"to itself"}},
      {replaced(pair(), "  solver: {", "  reader: {"), 7, {"\"reader\"", "twice", "line 6"}},
      {pair() + "output: reader\n", 11, {"\"output\"", "twice", "line 10"}},
      {graph(edge("a", "b") + edge("a", "b", "medium: kv, layers: all")), 12, {"a second time"}},
      {pair() + "calibration: gone.jsonl\n", 11, {"calibration", "gone.jsonl", "not there"}},
      {replaced(head(), "  tiny: {path: tiny}", "  {}") + "agents: {}\noutput: x\n", 3, {"models is empty"}},
      {head() + "agents: {}\noutput: x\n", 5, {"agents is empty"}},
  });
}

TEST_CASE("a cycle is refused and printed") {
  check_all({{graph(edge("a", "b") + edge("b", "c") + edge("c", "b") + edge("c", "d")), 13, {"b -> c -> b"}}});
}

TEST_CASE("prompts and edges have to agree on who is read where") {
  check_all({
      {pair("medium: text"), 9, {"without {from.reader}", "prompt of solver"}},
      {pair("medium: embedding"), 9, {"without {from.reader}"}},
      {pair("medium: kv", "{from.reader}"), 7, {"reads {from.reader}", "no text or embedding edge"}},
      {pair("medium: text, max_tokens: 3}\n  - {from: reader, to: solver, medium: embedding", "{from.reader}"),
       10,
       {"both text and embedding", "keep one"}},
      {pair("medium: kv", "{"), 7, {"never closed"}},
      {pair("medium: kv", "a } b"), 7, {"closes nothing", "}}"}},
      {pair("medium: kv", "{}"), 7, {"names no field"}},
      {pair("medium: kv", "{from.}"), 7, {"names no sender"}},
  });
}

TEST_CASE("heads that cannot be meant are refused") {
  check_all({
      {pair("medium: kv, layers: {heads: {8: []}}"), 9, {"names no KV head", "write all, or a list"}},
      {pair("medium: kv, layers: {heads: {8: some}}"), 9, {"names no KV head"}},
      {pair("medium: kv, layers: {heads: {eight: [0]}}"), 9, {"\"eight\" is no number of a layer"}},
      {pair("medium: kv, layers: {heads: {8: [0, 0]}}"), 9, {"twice"}},
      {pair("medium: kv, layers: {ratio: 0.2, unit: token}"), 9, {"layer or head"}},
      {pair("medium: kv, layers: {ratio: 0.2, unit: head, by: attention}"), 9, {"belongs to by: loss"}},
      {pair("medium: kv, layers: {ratio: 0.2, unit: head}, wire: auto"), 9, {"whole layers", "write the form"}},
      {pair("medium: kv, layers: {random: 0.2, unit: head}"), 9, {"unit"}},
      {pair("medium: kv, layers: {heads: {8: [0]}, ratio: 0.3}"), 9, {"ratio", "heads", "keep one of them"}},
      {pair("medium: kv, layers: {heads: {8: [0]}}, reproduce: {mask: authors}"), 9, {"shares single heads"}},
  });
}

TEST_CASE("what a kv edge cannot do with the edges around it is refused") {
  check_all({
      {graph(edge("a", "b", "medium: kv, layers: {heads: {1: [0]}}") + edge("b", "d", "medium: kv, forward: true")),
       12,
       {"forward: true", "single heads are missing"}},
      {graph(edge("a", "b") + edge("a", "d", "medium: kv, forward: true")),
       12,
       {"forward: true", "given nothing over kv"}},
      {graph(edge("a", "d") + edge("b", "d", "medium: kv, layers: all, reproduce: {mask: authors}")),
       12,
       {"different masks", "mesh.yaml:11)"}},
  });
}

TEST_CASE("everything that is wrong is shown in one pass, a line each") {
  const std::string complaint =
      Folder().complaint(replaced(replaced(pair("medium: kv, layer: all}\n  - {from: reader, to: nobody, medium: kv"),
                                           "{path: tiny}", "{path: tiny, dtpye: bf16}"),
                                  "prompt: \"{context}\"", "prompt: \"{context\""));
  for (const char* line : {"mesh.yaml:4: unknown key \"dtpye\"", "mesh.yaml:6: ", "mesh.yaml:9: unknown key \"layer\"",
                           "mesh.yaml:10: edge reader -> nobody (kv) names agent \"nobody\", which is not defined"})
    CHECK_THAT(complaint, Contains(line));
  CHECK(std::count(complaint.begin(), complaint.end(), '\n') == 3);
}

TEST_CASE("a second YAML document is refused where it begins") {
  check_all({{pair() + "---\nname: other\n", 12, {"second YAML document"}}});
  CHECK(Folder().complaint("---\n" + pair() + "...\n").empty());
}

TEST_CASE("a path that is a folder, or a circle of links, says so") {
  const Folder folder;
  std::filesystem::create_symlink("loop", folder.file("loop"));
  CHECK_THAT(folder.complaint(pair() + "calibration: tiny\n"), Contains("mesh.yaml:11: ") && Contains("is a folder"));
  CHECK_THAT(folder.complaint(pair() + "calibration: loop\n"),
             Contains("mesh.yaml:11: ") && Contains("symbolic links"));
  CHECK_THAT(folder.complaint(replaced(pair(), "{path: tiny}", "{path: loop}")),
             Contains("mesh.yaml:4: ") && Contains("symbolic links"));
}

TEST_CASE("a key of a later version names that version") {
  check_all({
      {replaced(pair(), "name: mesh", "name: mesh\nserve: {}"), 3, {"\"serve\"", "kvmesh 0.5", "install"}},
      {replaced(pair(), "\"{question}\"}", "\"{question}\", restart: never}"), 7, {"\"restart\"", "kvmesh 0.3"}},
      {pair("medium: kv, fallback: text"), 9, {"\"fallback\"", "kvmesh 0.3"}},
  });
}

TEST_CASE("what is not YAML is refused where it breaks") {
  const std::string complaint = Folder().complaint("kvmesh: 1\nname: [a\nmodels: {}\n");
  CHECK_THAT(complaint, StartsWith("mesh.yaml:3: not YAML"));
}

TEST_CASE("a file that cannot be read is named") {
  CHECK_THROWS_WITH(load_topology("/nowhere/mesh.yaml"), Contains("/nowhere/mesh.yaml"));
}
