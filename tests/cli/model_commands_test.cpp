// The commands that need one model and no mesh.

#include <nlohmann/json.hpp>

#include "tests/support/environment.hpp"
#include "tests/support/program.hpp"

using namespace kvmesh::test;
using Catch::Contains;

namespace {

const std::string kTiny = source_dir().string() + "/models/tiny";
const std::string kGolden = source_dir().string() + "/tests/golden/llama32-tied-headdim";

nlohmann::json json_of(std::vector<std::string> arguments, const std::string& input = "") {
  Program program(std::move(arguments), input);
  const int status = program.wait();
  INFO(program.err());
  REQUIRE(status == 0);
  return nlohmann::json::parse(program.out());
}

}  // namespace

TEST_CASE("inspect says what the checkpoint is") {
  const auto facts = json_of({"inspect", kTiny, "--json"});
  CHECK(facts["family"] == "llama");
  CHECK(facts["num_hidden_layers"] == 8);
  CHECK(facts["num_key_value_heads"] == 2);
  CHECK(facts["head_dim"] == 32);
  CHECK(facts["parameters"].get<long>() > 1'600'000);
  CHECK(facts["kv_bytes_per_token"] == 2 * 8 * 2 * 32 * 2);
}

TEST_CASE("held to AVX2, inspect says that products are computed in fp32, and a model answers the same") {
  const EnvironmentVariable isa("KVMESH_ISA", "avx2");
  CHECK_THAT(json_of({"inspect", kTiny, "--json"})["products"].get<std::string>(),
             Contains("in Float") && Contains("widened"));
  Program program({"generate", kTiny, "--prompt",
                   "Instruction: Answer. Context: Orbit Motors expects a quiet quarter. Yarrow Systems reports strong "
                   "demand. Question: You must invest in exactly one company from Yarrow Systems, Orbit Motors. Which "
                   "company do you choose?"});
  CHECK(program.wait() == 0);
  CHECK(program.out() == "Yarrow Systems\n");
}

TEST_CASE("a KVMESH_ISA that names no instruction set is an error that says which there are") {
  const EnvironmentVariable isa("KVMESH_ISA", "avx3");
  Program program({"inspect", kTiny});
  CHECK(program.wait() == 2);
  CHECK_THAT(program.err(), Contains("KVMESH_ISA=\"avx3\"") && Contains("portable, avx2, avx512 or avx512_bf16"));
}

TEST_CASE("logits prints a row a position and needs no tokenizer") {
  const auto golden = nlohmann::json::parse(read_file(kGolden + "/golden.json"));
  const auto out = json_of({"logits", kGolden, "--ids", "1,95,138", "--dtype", "fp32", "--json"});
  REQUIRE(out["logits"].size() == 3);
  for (std::size_t i = 0; i < 512; ++i)
    CHECK(out["logits"][1][i].get<double>() == Approx(golden["logits_at"]["1"][i].get<double>()).margin(1e-4));
}

TEST_CASE("tokenize reads standard input to the last byte, and decode gives it back") {
  const std::string text = "Hello, world!\n\n  two  spaces, a newline at the end\n";
  const auto encoded = json_of({"tokenize", kTiny}, text);
  CHECK(encoded["ids"].size() == encoded["tokens"].size());
  CHECK(json_of({"tokenize", kTiny, "--decode"}, encoded.dump())["text"] == text);
}

TEST_CASE("generate answers one user turn and streams whole characters") {
  Program program({"generate", kTiny, "--prompt",
                   "Instruction: Answer. Context: Orbit Motors expects a quiet quarter. Yarrow Systems reports strong "
                   "demand. Question: You must invest in exactly one company from Yarrow Systems, Orbit Motors. Which "
                   "company do you choose?"});
  CHECK(program.wait() == 0);
  CHECK(program.out() == "Yarrow Systems\n");
}

TEST_CASE("generate draws the same text from the same seed, and other text from another") {
  const auto said = [](const std::string& seed) {
    Program program({"generate", kTiny, "--raw", "--prompt", "Dora is", "--max-tokens", "24", "--temperature", "1.5",
                     "--top-p", "0.95", "--seed", seed});
    REQUIRE(program.wait() == 0);
    return program.out();
  };
  const std::string first = said("1");
  CHECK(said("1") == first);
  CHECK(said("2") != first);
}

TEST_CASE("generate ends before a stop string that spans tokens") {
  const std::string prompt =
      "Instruction: Answer. Context: Orbit Motors expects a quiet quarter. Yarrow Systems reports strong demand. "
      "Question: You must invest in exactly one company from Yarrow Systems, Orbit Motors. Which company do you "
      "choose?";
  Program program({"generate", kTiny, "--prompt", prompt, "--stop", "none of this", "--stop", "w Sys"});
  CHECK(program.wait() == 0);
  CHECK(program.out() == "Yarro\n");
}

TEST_CASE("generate refuses sampling options that would do nothing") {
  Program program({"generate", kTiny, "--prompt", "Hi", "--top-k", "5"});
  CHECK(program.wait() == 2);
  CHECK_THAT(program.err(), Contains("top_k needs a temperature"));
}

TEST_CASE("render prints what the template makes of the messages, to the byte") {
  const TemporaryFolder folder;
  folder.write("chat_template.jinja",
               "{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}"
               "{{ tools | tojson }} {{ strftime_now('%d %b %Y') }}");
  const auto file = folder.write("in.json", R"({"messages": [{"role": "user", "content": "Grüße"}], "bos_token": "<s>",
                                                "tools": [{"z": 1, "a": [true, null]}]})");
  Program program({"render", folder.path().string(), "--messages", file.string(), "--now", "2025-07-10T12:00:00Z"});
  CHECK(program.wait() == 0);
  CHECK(program.out() == "<s>[user] Grüße\n[{\"z\": 1, \"a\": [true, null]}] 10 Jul 2025");
}

TEST_CASE("render says what is wrong with its input in one line") {
  const TemporaryFolder folder;
  const auto refused = [&](std::vector<std::string> arguments, const std::string& what) {
    arguments.insert(arguments.begin(), {"render", folder.path().string(), "--messages"});
    Program program(arguments);
    CHECK(program.wait() == 2);
    CHECK_THAT(program.err(), Catch::StartsWith("kvmesh: ") && Contains(what));
  };
  const std::string good = folder.write("good.json", R"({"messages": []})").string();
  refused({good}, "has no chat template");
  folder.write("chat_template.jinja", "{{ x }}\n{{ 1 | sparkle }}");
  refused({good}, "line 2: the filter '|sparkle' is not supported");
  refused({good, "--now", "yesterday"}, "2025-07-10T12:00:00Z");
  refused({folder.write("list.json", "[]").string()}, "messages");
  refused({folder.write("broken.json", "{").string()}, "not JSON");
  refused({folder.path().string() + "/missing.json"}, "is not there");
}

TEST_CASE("share prints logits, greedy tokens, bytes, and scores when all layers are shared") {
  const auto out = json_of({"share", "--sender", kTiny, "--receiver", kTiny, "--sender-ids", "1,2,3,4",
                            "--receiver-ids", "5,6", "--layers", "all", "--dtype", "fp32", "--json"});
  CHECK(out["logits"].size() == 2);
  CHECK(out["scores"].size() == 8);
  CHECK(out["bytes"].get<int>() > 4 * 8 * 2 * 2 * 32 * 4);
}

TEST_CASE("ids that are no ids are refused with exit status 2, quoting them") {
  Program program({"logits", kTiny, "--ids", "1,x"});
  CHECK(program.wait() == 2);
  CHECK_THAT(program.err(), Contains("--ids") && Contains("x"));
}

TEST_CASE("an unknown option is refused with exit status 2") {
  Program program({"inspect", kTiny, "--colour"});
  CHECK(program.wait() == 2);
}

TEST_CASE("a context of 1,000 tokens costs what its whole layers, layer 0 and sinks add up to, and envelopes") {
  std::string ids = "20";
  for (int i = 1; i < 1000; ++i) ids += "," + std::to_string(20 + i % 200);
  const auto bytes_of = [&](const std::string& layers) {
    return json_of({"share", "--sender", kTiny, "--receiver", kTiny, "--sender-ids", ids, "--receiver-ids", "20",
                    "--layers", layers, "--max-tokens", "1", "--dtype", "fp32"})["bytes"]
        .get<double>();
  };
  const double pair = 2 * 2 * 32 * 4;  // a key and a value of 2 heads of 32, fp32: one token at one layer
  const auto expected = [&](double whole) { return whole * 1000 * pair + (8 - whole) * pair; };
  CHECK(bytes_of("all") >= expected(8));
  CHECK(bytes_of("all") < expected(8) * 1.01);
  CHECK(bytes_of("4,5") >= expected(3));
  CHECK(bytes_of("4,5") < expected(3) * 1.01);
  CHECK(bytes_of("0,5") < expected(2) * 1.01);
}

TEST_CASE("a wrong command line is one line that says what is wrong and where help is") {
  const std::vector<std::pair<std::vector<std::string>, std::string>> wrong = {
      {{"rnu"}, "kvmesh: there is no command \"rnu\"; kvmesh --help lists what there is\n"},
      {{"rnu", "--help"}, "kvmesh: there is no command \"rnu\"; kvmesh --help lists what there is\n"},
      {{"run", "t.yaml", "--inptu", "x"},
       "kvmesh: there is no option --inptu; kvmesh run --help lists what there is\n"},
      {{"bench", "llm", "--slow"}, "kvmesh: there is no option --slow; kvmesh bench llm --help lists what there is\n"},
      {{"run", "t.yaml"}, "kvmesh: --input is required; kvmesh run --help lists what there is\n"},
      {{"logits", kTiny, "--ids", "1,x"},
       "kvmesh: --ids: \"x\" does not begin with a token id; write numbers as 1,2,3\n"},
  };
  for (const auto& [arguments, line] : wrong) {
    Program program(arguments);
    CHECK(program.wait() == 2);
    CHECK(program.err() == line);
  }
}

TEST_CASE("a number that its option cannot hold is refused, never wrapped, rounded or cut") {
  const std::vector<std::string> share{"share", "--sender",       kTiny, "--receiver", kTiny, "--sender-ids",
                                       "1,2",   "--receiver-ids", "1"};
  const std::vector<std::string> generate{"generate", kTiny, "--prompt", "x"};
  const auto with = [](std::vector<std::string> all, const std::string& option, const std::string& value) {
    all.insert(all.end(), {option, value});
    return all;
  };
  for (const auto& [arguments, option] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {with(share, "--layers", "4294967296"), "--layers"},
           {with(share, "--from-layer", "-1"), "--from-layer"},
           {with(share, "--from-layer", "4294967296"), "--from-layer"},
           {with(share, "--max-tokens", "1.5"), "--max-tokens"},
           {with(share, "--threads", "99999999999"), "--threads"},
           {with(share, "--temperature", "nan"), "--temperature"},
           {with(generate, "--temperature", "inf"), "--temperature"},
           {with(generate, "--temperature", "-1"), "--temperature"},
           {with(generate, "--top-k", "-1"), "--top-k"},
           {with(generate, "--top-p", "1e400"), "--top-p"},
           {with(generate, "--seed", "-1"), "--seed"},
           {with(generate, "--seed", "18446744073709551616"), "--seed"},
           {{"logits", kTiny, "--ids", "4294967297"}, "--ids"},
           {{"eval", "--sender", kTiny, "--receiver", kTiny, "--data", "x", "--limit", "-1"}, "--limit"},
           {{"demo", "--limit", "0x10"}, "--limit"},
           {{"run", "t", "--input", "x", "--concurrency", "0"}, "--concurrency"},
       }) {
    CAPTURE(arguments.back());
    Program program(arguments);
    CHECK(program.wait() == 2);
    CHECK_THAT(program.err(), Contains("kvmesh: " + option + ": "));
  }
}
