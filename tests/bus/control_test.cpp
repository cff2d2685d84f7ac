#include "bus/control.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using Catch::Matchers::Contains;
using kvmesh::Error;
using kvmesh::ErrorKind;
using kvmesh::OwnedBytes;
using nlohmann::json;
using namespace kvmesh::bus;

namespace {

Control decode(std::string text) { return decode_control(OwnedBytes::from_string(std::move(text))); }

std::string failure(std::string text) {
  try {
    decode(std::move(text));
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::kReconnect);
    return error.what();
  }
  return "it was taken";
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
          .calibrate = true,
          .deadline_ms = 60'000};
}

Result a_result() {
  return {.request = "q-1",
          .answer = "Paris",
          .edges = {{.from = "a", .to = "b", .medium = "kv", .layers = "2 of 8 + layer 0", .bytes = 1ull << 40}},
          .scores = {{.from = "a", .to = "b", .scores = {0.1, 1e-300, 3}}},
          .ttft_ms = 12.25,
          .receiver_ttft_ms = 3.5,
          .prefill_tokens = 100,
          .generated_tokens = 5,
          .flops = 1.5e12};
}

std::vector<Control> one_of_each() {
  return {Join{.version = 1, .agent = "solver", .pid = 4711, .host = "here"},
          Assign{.mesh = "m", .model_path = "/models/tiny", .dtype = "bf16", .device = "cpu", .threads = 2},
          Hello{.manifest = R"({"family":"llama"})", .publish_endpoint = "ipc:///tmp/p", .memory_bytes = 1 << 30},
          Edges{.inbound = {{.spec = "{}", .topic = "m/a/b/kv;", .manifest = "{}", .endpoint = "tcp://h:1"}},
                .outbound = {{.topic = "m/b/c/text;", .carries_sink = false}, {.topic = "m/b/d/kv;"}},
                .keep_bytes = 1000,
                .waiting_bytes = 2000},
          Ready{.weights_fingerprint = "w"},
          a_task(),
          a_result(),
          TaskError{.request = "q-1", .kind = ErrorKind::kRetry, .reason = "too long"},
          Cancel{.request = "q-2"},
          Scores{.edge = {.from = "a", .to = "b", .scores = {0.5, 0.25}}},
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
                                          "cancel", "scores", "heartbeat", "refused", "failed", "bye"});
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
  CHECK(task.calibrate == sent.calibrate);
  CHECK(task.deadline_ms == sent.deadline_ms);
}

TEST_CASE("a result's fields arrive one by one") {
  const auto result = std::get<Result>(decode_control(encode_control(a_result())));
  CHECK(result.answer == "Paris");
  REQUIRE(result.edges.size() == 1);
  CHECK(result.edges[0].layers == "2 of 8 + layer 0");
  CHECK(result.edges[0].bytes == 1ull << 40);
  REQUIRE(result.scores.size() == 1);
  CHECK(result.scores[0].scores == std::vector<double>{0.1, 1e-300, 3});
  CHECK(result.ttft_ms == 12.25);
  CHECK(result.receiver_ttft_ms == 3.5);
  CHECK(result.prefill_tokens == 100);
  CHECK(result.generated_tokens == 5);
  CHECK(result.flops == 1.5e12);
}

TEST_CASE("no answer and an empty answer are two things") {
  CHECK_FALSE(std::get<Result>(decode_control(encode_control(Result{.request = "r"}))).answer);
  CHECK_FALSE(std::get<Result>(decode(R"({"type": "result", "answer": null})")).answer);
  CHECK(std::get<Result>(decode_control(encode_control(Result{.answer = ""}))).answer == "");
}

TEST_CASE("unknown keys are skipped") {
  const auto join = std::get<Join>(decode(R"({"colour": [1, {"a": 2}], "type": "join", "agent": "a", "pid": 5})"));
  CHECK(join.agent == "a");
  CHECK(join.pid == 5);
}

TEST_CASE("missing keys take the value that stands in the header") {
  const auto task = std::get<Task>(decode(R"({"type": "task", "request": "r"})"));
  CHECK(task.chat);
  CHECK_FALSE(task.generate);
  CHECK(task.prompt.empty());
  CHECK(std::get<Join>(decode(R"({"type": "join"})")).version == kControlVersion);
  CHECK(std::get<Edges>(decode(R"({"type": "edges", "inbound": [{}]})")).inbound.at(0).carries_sink);
}

TEST_CASE("an unknown kind of error is taken for the worst one in a task_error") {
  CHECK(std::get<TaskError>(decode(R"({"type": "task_error", "kind": "new"})")).kind == ErrorKind::kGiveUp);
}

TEST_CASE("a field of a wrong type is named with its message's type") {
  struct Case {
    std::string text;
    std::string says;
  };
  const auto bad = GENERATE(values<Case>({
      {R"({"type": "join", "agent": 7})", R"("join" has a field "agent" of type number that should be a string)"},
      {R"({"type": "join", "pid": "7"})", R"("join" has a field "pid" of type string that should be a whole number)"},
      {R"({"type": "join", "pid": 7.5})", R"("pid" of type number that should be a whole number)"},
      {R"({"type": "join", "version": 4294967296})", R"("version" of 4294967296, outside of)"},
      {R"({"type": "join", "pid": 18446744073709551615})", R"("pid" of 18446744073709551615, outside of)"},
      {R"({"type": "task", "record_index": -1})", R"("record_index" of -1, outside of 0 to)"},
      {R"({"type": "task", "chat": 1})", R"("chat" of type number that should be true or false)"},
      {R"({"type": "task", "prompt": {}})", R"("prompt" of type object that should be an array)"},
      {R"({"type": "task", "prompt": [{"text": "a"}, 3]})", R"("prompt[1]" of type number that should be an object)"},
      {R"({"type": "edges", "inbound": [{"topic": null}]})", R"("edges" has a field "inbound[0].topic" of type null)"},
      {R"({"type": "result", "answer": 1})", R"("answer" of type number that should be a string or null)"},
      {R"({"type": "result", "ttft_ms": "1"})", R"("ttft_ms" of type string that should be a number)"},
      {R"({"type": "scores", "edge": []})", R"("scores" has a field "edge" of type array that should be an object)"},
      {R"({"type": "scores", "edge": {"scores": [1, "x"]}})", R"("edge.scores[1]" of type string)"},
      {R"({"type": "failed", "kind": 3})", R"("failed" has a field "kind" of type number)"},
  }));
  CHECK_THAT(failure(bad.text), Contains(bad.says));
}

TEST_CASE("what is no control message is refused with the reason") {
  CHECK_THAT(failure(""), Contains("parse error"));
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
  const std::string frame = R"({"type": "bye", "reason": ""})";
  std::string text = R"({"type": "bye", "reason": ")" + std::string(kMaxControlBytes - frame.size(), 'x') + "\"}";
  REQUIRE(text.size() == kMaxControlBytes);
  CHECK(std::holds_alternative<Bye>(decode(text)));
  text.push_back(' ');
  CHECK_THAT(failure(text), Contains("16777217 bytes"));
}

TEST_CASE("bytes that are not UTF-8 are replaced, not refused") {
  const auto bye = std::get<Bye>(decode_control(encode_control(Bye{.reason = "a\xff"
                                                                             "b"})));
  CHECK(bye.reason == "a\uFFFDb");
}
