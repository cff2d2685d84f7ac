#include "bus/control.hpp"

#include <xxhash.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "tests/support/places.hpp"

using Catch::Matchers::Contains;
using kvmesh::Error;
using kvmesh::ErrorKind;
using kvmesh::OwnedBytes;
using nlohmann::json;
using namespace kvmesh::bus;

namespace {

/// JSON that ends in an object, with the checksum of docs/wire.md at its end.
std::string sealed(std::string text) {
  if (text.size() < 3 || text.back() != '}') return text;
  text.pop_back();
  text += ",\"xxh3\":\"";
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx",
                static_cast<unsigned long long>(XXH3_64bits(text.data(), text.size())));
  return text + digits + "\"}";
}

Control decode_raw(std::string text) { return decode_control(OwnedBytes::from_string(std::move(text))); }
Control decode(std::string text) { return decode_raw(sealed(std::move(text))); }

std::string failure_raw(std::string text) {
  try {
    decode_raw(std::move(text));
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::kReconnect);
    return error.what();
  }
  return "it was taken";
}
std::string failure(std::string text) { return failure_raw(sealed(std::move(text))); }

std::string bit_flipped(std::string_view whole, std::size_t bit) {
  std::string damaged(whole);
  damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
  return damaged;
}

/// What a build of version 1 said.
std::string version_1(const char* name) {
  std::ifstream file(kvmesh::test::source_dir() / "tests/golden/wire_version_1" / name, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  return text.substr(4);  // behind its length
}

Task a_task() {
  return {.request = "q-1",
          .record_index = ~std::uint64_t{0},
          .prompt = {{.text = "Context: \"\n\u00e9"}, {.from = "reader"}},
          .chat = false,
          .system = "Be brief.",
          .generate = true,
          .max_tokens = 16,
          .sampling = {.temperature = 0.7,
                       .top_k = 40,
                       .top_p = 0.9,
                       .min_p = 0.05,
                       .repetition_penalty = 1.1,
                       .seed = ~std::uint64_t{0}},
          .stop = {"\n\n", "END"},
          .targets = {"Paris", "the city of Paris"},
          .calibrate = true,
          .search = {"reader"},
          .sample = 2,
          .samples = 16,
          .deadline_ms = 60'000};
}

Result a_result() {
  return {.request = "q-1",
          .answer = "Paris",
          .edges = {{.from = "a", .to = "b", .medium = "kv", .layers = "2 of 8 + layer 0", .bytes = 1ull << 40}},
          .scores = {{.from = "a",
                      .to = "b",
                      .scores = {0.1, 1e-300, 3},
                      .path = {{{}, 9.5, 8}, {{1}, 2, 2.5}},
                      .by_attention = {{{0}, 9, 8}},
                      .checks = 4}},
          .ttft_ms = 12.25,
          .receiver_ttft_ms = 3.5,
          .prefill_tokens = 100,
          .generated_tokens = 5,
          .flops = 1.5e12,
          .target_nats = 0.1};
}

std::vector<Control> one_of_each() {
  return {Join{.version = kControlVersion, .agent = "solver", .pid = 4711, .host = "here"},
          Assign{.mesh = "m",
                 .model_path = "/models/tiny",
                 .dtype = "bf16",
                 .device = "cpu",
                 .threads = 2,
                 .liveness_ms = 2000},
          Hello{.manifest = R"({"family":"llama"})", .publish_endpoint = "ipc:///tmp/p", .memory_bytes = 1 << 30},
          Edges{.inbound = {{.spec = "{}", .topic = "m/a/b/kv;", .manifest = "{}", .endpoint = "tcp://h:1"}},
                .outbound = {{.topic = "m/b/c/text;", .carries_sink = false}, {.topic = "m/b/d/kv;"}},
                .beside = 2,
                .ready_deadline_ms = 3000,
                .keep_bytes = 1000,
                .waiting_bytes = 2000},
          Ready{.weights_fingerprint = "w"},
          a_task(),
          a_result(),
          TaskError{.request = "q-1", .kind = ErrorKind::kRetry, .reason = "too long"},
          Cancel{.request = "q-2"},
          Scores{.edge = {.from = "a", .to = "b", .scores = {0.5, 0.25}, .path = {{{}, 9.5, 8}, {{1}, 2, 2.5}}}},
          Lost{"solver", "nobody subscribes"},
          Progress{.request = "q-1", .edge = "a -> b (kv)", .percent = 40, .left_s = 12.5},
          Heartbeat{},
          Refused{.reason = "no such agent"},
          Failed{.kind = ErrorKind::kFixInput, .reason = "no weights"},
          Bye{.reason = "done"}};
}

}  // namespace

TEST_CASE("every control message says its type") {
  std::vector<std::string> types;
  for (const Control& message : one_of_each()) types.push_back(json::parse(encode_control(message).text()).at("type"));
  CHECK(types == std::vector<std::string>{"join", "assign", "hello", "edges", "ready", "task", "result", "task_error",
                                          "cancel", "scores", "lost", "progress", "heartbeat", "refused", "failed",
                                          "bye"});
}

TEST_CASE("every control message comes back as the same type with the same content") {
  const auto messages = one_of_each();
  REQUIRE(messages.size() == std::variant_size_v<Control>);
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const auto encoded = encode_control(messages[i]);
    INFO(encoded.text());
    const Control decoded = decode_control(encoded);
    CHECK(decoded.index() == i);
    CHECK(encode_control(decoded).text() == encoded.text());
  }
}

TEST_CASE("a task's fields arrive one by one") {
  const auto task = std::get<Task>(decode_control(encode_control(a_task())));
  const Task sent = a_task();
  CHECK(task.request == sent.request);
  CHECK(task.record_index == sent.record_index);
  CHECK(task.prompt == sent.prompt);
  CHECK(task.chat == sent.chat);
  CHECK(task.generate == sent.generate);
  CHECK(task.max_tokens == sent.max_tokens);
  CHECK(task.system == sent.system);
  CHECK(task.sampling == sent.sampling);
  CHECK(task.stop == sent.stop);
  CHECK(task.targets == sent.targets);
  CHECK(task.calibrate == sent.calibrate);
  CHECK(task.search == sent.search);
  CHECK((task.sample == sent.sample && task.samples == sent.samples));
  CHECK(task.deadline_ms == sent.deadline_ms);
}

TEST_CASE("who is to take layers by loss must know them, and nobody else") {
  const auto needs = [](const Control& message) {
    const json text = json::parse(encode_control(message).text());
    return text.contains("needs") ? text["needs"] : json();
  };
  CHECK(needs(a_task()) == json::array({"loss"}));
  CHECK(needs(Scores{.edge = {.from = "a", .to = "b", .scores = {}, .path = {{{}, 9, 8}}}}) == json::array({"loss"}));
  CHECK(needs(Scores{.edge = {.from = "a", .to = "b", .scores = {1}}}).is_null());
  CHECK(needs(Task{.request = "q"}).is_null());
}

TEST_CASE("a result's fields arrive one by one") {
  const auto result = std::get<Result>(decode_control(encode_control(a_result())));
  CHECK(result.answer == "Paris");
  REQUIRE(result.edges.size() == 1);
  CHECK(result.edges[0].layers == "2 of 8 + layer 0");
  CHECK(result.edges[0].bytes == 1ull << 40);
  REQUIRE(result.scores.size() == 1);
  CHECK(result.scores[0].scores == std::vector<double>{0.1, 1e-300, 3});
  CHECK(result.scores[0].path == a_result().scores[0].path);
  CHECK(result.scores[0].by_attention == a_result().scores[0].by_attention);
  CHECK(result.scores[0].checks == 4);
  CHECK(result.ttft_ms == 12.25);
  CHECK(result.receiver_ttft_ms == 3.5);
  CHECK(result.prefill_tokens == 100);
  CHECK(result.generated_tokens == 5);
  CHECK(result.flops == 1.5e12);
  CHECK(result.target_nats == 0.1);
}

TEST_CASE("nats of a target that are not there have no key, and null means the same") {
  const OwnedBytes encoded = encode_control(Result{.request = "r"});
  CHECK(encoded.text().find("target_nats") == std::string::npos);
  CHECK_FALSE(std::get<Result>(decode_control(encoded)).target_nats);
  CHECK_FALSE(std::get<Result>(decode(R"({"type": "result", "request": "r", "answer": "x", "target_nats": null})"))
                  .target_nats);
}

TEST_CASE("no answer and an empty answer are two things") {
  CHECK_FALSE(std::get<Result>(decode_control(encode_control(Result{.request = "r"}))).answer);
  CHECK_FALSE(std::get<Result>(decode(R"({"type": "result", "request": "r", "answer": null})")).answer);
  CHECK(std::get<Result>(decode_control(encode_control(Result{.answer = ""}))).answer == "");
}

TEST_CASE("unknown keys are skipped") {
  const auto join =
      std::get<Join>(decode(R"({"colour": [1, {"a": 2}], "type": "join", "version": 2, "agent": "a", "pid": 5})"));
  CHECK(join.agent == "a");
  CHECK(join.pid == 5);
}

TEST_CASE("missing keys take the value that stands in the header") {
  const auto task = std::get<Task>(decode(R"({"type": "task", "request": "r"})"));
  CHECK(task.chat);
  CHECK_FALSE(task.generate);
  CHECK(task.prompt.empty());
  CHECK(std::get<Edges>(decode(R"({"type": "edges", "inbound": [{}]})")).inbound.at(0).carries_sink);
}

TEST_CASE("an unknown kind of error is taken for the worst one in a task_error") {
  CHECK(std::get<TaskError>(decode(R"({"type": "task_error", "request": "r", "kind": "new"})")).kind ==
        ErrorKind::kGiveUp);
}

TEST_CASE("a field of a wrong type is named with its message's type") {
  struct Case {
    std::string text;
    std::string says;
  };
  const auto bad = GENERATE(values<Case>({
      {R"({"type": "join", "version": 2, "agent": 7})",
       R"("join" has a field "agent" of type number that should be a string)"},
      {R"({"type": "join", "version": 2, "agent": "a", "pid": "7"})",
       R"("join" has a field "pid" of type string that should be a whole number)"},
      {R"({"type": "join", "version": 2, "agent": "a", "pid": 7.5})",
       R"("pid" of type number that should be a whole number)"},
      {R"({"type": "join", "version": 4294967296})", R"("version" of 4294967296, outside of)"},
      {R"({"type": "join", "version": 2, "agent": "a", "pid": 18446744073709551615})",
       R"("pid" of 18446744073709551615, outside of)"},
      {R"({"type": "task", "request": "r", "record_index": -1})", R"("record_index" of -1, outside of 0 to)"},
      {R"({"type": "task", "request": "r", "chat": 1})", R"("chat" of type number that should be true or false)"},
      {R"({"type": "task", "request": "r", "prompt": {}})", R"("prompt" of type object that should be an array)"},
      {R"({"type": "task", "request": "r", "prompt": [{"text": "a"}, 3]})",
       R"("prompt[1]" of type number that should be an object)"},
      {R"({"type": "edges", "inbound": [{"topic": null}]})", R"("edges" has a field "inbound[0].topic" of type null)"},
      {R"({"type": "result", "request": "r", "answer": 1})", R"("answer" of type number that should be a string)"},
      {R"({"type": "result", "request": "r", "answer": null, "ttft_ms": "1"})",
       R"("ttft_ms" of type string that should be a number)"},
      {R"({"type": "result", "request": "r", "answer": null, "target_nats": "1"})",
       R"("target_nats" of type string that should be a number)"},
      {R"({"type": "scores", "edge": []})", R"("scores" has a field "edge" of type array that should be an object)"},
      {R"({"type": "scores", "edge": {"scores": [1, "x"]}})", R"("edge.scores[1]" of type string)"},
      {R"({"type": "failed", "kind": 3})", R"("failed" has a field "kind" of type number)"},
  }));
  CHECK_THAT(failure(bad.text), Contains(bad.says));
}

TEST_CASE("what is no control message is refused with the reason") {
  CHECK_THAT(failure(""), Contains("no body"));
  CHECK_THAT(failure("{\"type\": \"bye\""), Contains("parse error"));
  CHECK_THAT(failure("{\"type\": \"bye\"} x"), Contains("parse error"));
  CHECK_THAT(failure("{\"type\": \"bye\", \"reason\": \"\xff\"}"), Contains("parse error"));
  CHECK_THAT(failure("[1]"), Contains("array") && Contains("object"));
  CHECK_THAT(failure("{}"), Contains("no \"type\""));
  CHECK_THAT(failure(R"({"type": 4})"), Contains("no \"type\""));
  CHECK_THAT(failure(R"({"type": "gossip"})"), Contains("unknown type \"gossip\""));
}

TEST_CASE("an unknown type is shown in part and without control characters") {
  const auto says = failure(json({{"type", "\x1b[2J" + std::string(1'000, 'x')}}).dump());
  CHECK(says.size() < 200);
  CHECK(says.find('\x1b') == std::string::npos);
}

TEST_CASE("nesting has a limit") {
  const auto nested = [](int levels) {
    return R"({"type": "bye", "x": )" + std::string(levels - 1, '[') + std::string(levels - 1, ']') + "}";
  };
  CHECK(std::holds_alternative<Bye>(decode(nested(kMaxControlDepth))));
  CHECK_THAT(failure(nested(kMaxControlDepth + 1)), Contains("nested deeper than 16"));
  CHECK_THAT(failure(std::string(1 << 20, '[')), Contains("nested deeper"));
}

TEST_CASE("length has a limit") {
  CHECK_THAT(failure_raw(std::string(kMaxControlBytes + 1, ' ')), Contains("268435457 bytes"));
}

TEST_CASE("any flipped bit of a control message is noticed, and said to be damage") {
  for (const Control& message : one_of_each()) {
    const OwnedBytes whole = encode_control(message);
    INFO(whole.text());
    for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
      const std::string damaged = bit_flipped(whole.text(), bit);
      try {
        // A refusal may come from a build of version 1, whose text has no checksum.
        const Control read = decode_raw(damaged);
        if (!std::holds_alternative<Refused>(read)) FAIL("taken: " << damaged);
      } catch (const Error& error) {
        const std::string says = error.what();
        if (bit / 8 + 30 < whole.size() && says.find("damaged on its way") == std::string::npos) FAIL(says);
      }
    }
  }
}

TEST_CASE("the worked control message of docs/wire.md is what this build writes") {
  std::ifstream file(kvmesh::test::source_dir() / "docs/wire.md");
  const std::string document{std::istreambuf_iterator<char>(file), {}};
  CHECK_THAT(document, Contains(std::string(encode_control(Bye{.reason = "done"}).text())));
}

TEST_CASE("a flipped bit in the name of a key makes no other message") {
  std::string result(encode_control(a_result()).text());
  result[result.find("answer")] ^= 4;
  CHECK_THAT(failure_raw(result), Contains("damaged on its way"));
}

TEST_CASE("a result without its answer's key is refused, so that a loss is no empty answer") {
  CHECK_THAT(failure(R"({"type": "result", "request": "r"})"), Contains("\"result\" has no field \"answer\""));
  CHECK_THAT(failure(R"({"type": "result", "answer": "x"})"), Contains("\"result\" has no field \"request\""));
  CHECK_THAT(failure(R"({"type": "join", "agent": "a"})"), Contains("\"join\" has no field \"version\""));
}

TEST_CASE("a message without its checksum is refused") {
  CHECK_THAT(failure_raw(R"({"type": "bye", "reason": ""})"), Contains("does not end with its checksum"));
}

TEST_CASE("a message that needs what this build does not know is refused with its name") {
  CHECK_THAT(failure(R"({"type": "cancel", "request": "r", "needs": ["epoch"]})"),
             Contains("it needs \"epoch\", which this build does not know; run the newer kvmesh"));
  CHECK_THAT(failure(R"({"type": "bye", "needs": 3})"), Contains("\"needs\" is of type number"));
  CHECK(std::holds_alternative<Bye>(decode(R"({"type": "bye", "needs": []})")));
}

TEST_CASE("what version 1 says first is read, so that both ends can name the versions") {
  const auto join = std::get<Join>(decode_raw(version_1("join")));
  CHECK(join.version == 1);
  CHECK(join.agent == "reader");
  CHECK(std::get<Refused>(decode_raw(version_1("refused"))).reason == "agent reader speaks version 2");
}

TEST_CASE("nothing else of version 1 is taken") {
  for (const char* name : {"task", "result"})
    CHECK_THAT(failure_raw(version_1(name)), Contains("does not speak version 2 of the control protocol"));
}

TEST_CASE("version 1 can read the version of our join") {
  const json join = json::parse(encode_control(Join{.agent = "reader", .pid = 7, .host = "here"}).text());
  CHECK(join.at("type") == "join");
  CHECK(join.at("version") == 2);
  CHECK(join.at("agent") == "reader");
}

TEST_CASE("bytes that are not UTF-8 are replaced, not refused") {
  const auto bye = std::get<Bye>(decode_control(encode_control(Bye{.reason = "a\xff"
                                                                             "b"})));
  CHECK(bye.reason == "a\uFFFDb");
}
