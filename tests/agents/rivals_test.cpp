// Activation communication and CIPHER, against golden vectors.

#include "agents/exchange.hpp"
#include "tests/support/golden.hpp"

using namespace kvmesh;
using namespace kvmesh::test;
using agents::ExchangeRequest;

namespace {

const nlohmann::json& golden() {
  static const nlohmann::json vectors = read_json(source_dir() / "tests/golden/tiny_rivals.json");
  return vectors;
}

const llm::Model& tiny() {
  static const llm::Model model = llm::Model::load(tiny_model(), {.dtype = "fp32"});
  return model;
}

wire::Combine combine_of(const std::string& name) {
  if (name == "replace") return wire::Combine::kReplace;
  return name == "sum" ? wire::Combine::kSum : wire::Combine::kMean;
}

}  // namespace

TEST_CASE("an activation that is put in, added or averaged gives the reference's logits and answers") {
  for (const auto& want : golden()["activation"]) {
    CAPTURE(want["k"].get<int>(), want["j"].get<int>(), want["f"].get<std::string>());
    ExchangeRequest request;
    request.sender_ids = {ids_of(want["sender_ids"])};
    request.receiver_ids = ids_of(want["receiver_ids"]);
    request.edge.medium = wire::Medium::kActivation;
    request.edge.from_layer = want["k"].get<int>();
    request.edge.to_layer = want["j"].get<int>();
    request.edge.combine = combine_of(want["f"].get<std::string>());
    request.max_tokens = 12;
    request.stop_tokens = llm::read_stop_tokens(tiny_model());
    const auto got = agents::exchange(tiny(), tiny(), request);
    CHECK(distance(got.logits.select(0, got.logits.size(0) - 1), tensor_of(want["last_logits"])) < 1e-4);
    CHECK(got.greedy == ids_of(want["greedy"]));
  }
}

TEST_CASE("expected embeddings match the reference at every step, and stop where it stops") {
  for (const auto& want : golden()["cipher"]) {
    CAPTURE(want["temperature"].get<double>());
    ExchangeRequest request;
    request.sender_ids = {ids_of(want["ids"])};
    request.edge.temperature = want["temperature"].get<double>();
    request.stop_tokens = {want["stop_id"].get<std::int64_t>()};
    request.max_tokens = 8;
    const auto got = agents::sender_embeddings(tiny(), llm::manifest_of(tiny().config()), request);
    CHECK(got.stopped == want["stopped"].get<bool>());
    REQUIRE(got.nearest.size() == want["steps"].size());
    for (std::size_t s = 0; s < got.nearest.size(); ++s) {
      CHECK(got.nearest[s] == want["steps"][s]["nearest"].get<std::int64_t>());
      CHECK(distance(got.vectors.select(0, static_cast<std::int64_t>(s)), tensor_of(want["steps"][s]["vector"])) <
            1e-4);
    }
  }
}

TEST_CASE("an activation for a layer that the model does not have is refused with the numbers") {
  ExchangeRequest request;
  request.sender_ids = {{1, 2}};
  request.receiver_ids = {3};
  request.edge.medium = wire::Medium::kActivation;
  request.edge.from_layer = 8;
  CHECK_THROWS_WITH(agents::exchange(tiny(), tiny(), request), Catch::Contains("8") && Catch::Contains("0 to 7"));
}
