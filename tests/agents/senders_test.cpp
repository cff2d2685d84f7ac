// Several senders and chains, against golden vectors.

#include "agents/exchange.hpp"
#include "tests/support/golden.hpp"

using namespace kvmesh;
using namespace kvmesh::test;
using agents::exchange;
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

ExchangeRequest kv_request(const nlohmann::json& want) {
  ExchangeRequest request;
  request.receiver_ids = ids_of(want["receiver_ids"]);
  request.edge.layers.kind = wire::LayerChoice::Kind::kExplicit;
  request.edge.layers.layers = want["layers"].get<std::vector<int>>();
  request.max_tokens = 12;
  request.stop_tokens = llm::read_stop_tokens(tiny_model());
  return request;
}

void check_matches(const agents::ExchangeResult& got, const nlohmann::json& want) {
  CHECK(argmax_of(got.logits) == ids_of(want["argmax"]));
  CHECK(distance(got.logits.select(0, got.logits.size(0) - 1), tensor_of(want["last_logits"])) < 1e-4);
  CHECK(got.greedy == ids_of(want["greedy"]));
}

}  // namespace

TEST_CASE("two and three senders, re-based or overlapping, give the reference's logits and answers") {
  for (const auto& want : golden()["senders"]) {
    CAPTURE(want["task"].get<std::string>(), want["positions"].get<std::string>(), want["layers"].dump());
    ExchangeRequest request = kv_request(want);
    for (const auto& ids : want["senders"]) request.sender_ids.push_back(ids_of(ids));
    if (want["positions"] == "overlap") request.edge.positions = wire::Positions::kOverlap;
    check_matches(exchange(tiny(), tiny(), request), want);
  }
}

TEST_CASE("a chain shares the sink and the last sender's own tokens, as the reference does") {
  for (const auto& want : golden()["chain"]) {
    CAPTURE(want["layers"].dump());
    ExchangeRequest request = kv_request(want);
    request.sender_ids = {ids_of(want["first"]), ids_of(want["second"])};
    request.chain = true;
    check_matches(exchange(tiny(), tiny(), request), want);
  }
}

TEST_CASE("a chain that forwards everything equals one model that reads all of it") {
  const auto& want = golden()["chain"][0];
  ExchangeRequest request = kv_request(want);
  request.sender_ids = {ids_of(want["first"]), ids_of(want["second"])};
  request.chain = true;
  request.edge.forward = true;
  request.edge.layers.kind = wire::LayerChoice::Kind::kAll;
  std::vector<std::int64_t> all;
  for (const auto& ids : {request.sender_ids[0], request.sender_ids[1], request.receiver_ids})
    all.insert(all.end(), ids.begin(), ids.end());
  llm::KvCache cache = tiny().make_cache(1);
  const at::Tensor whole =
      tiny().forward({.embeddings = tiny().embed(all), .logits = llm::LogitRows::kAll}, cache).logits;
  const auto own = static_cast<std::int64_t>(request.receiver_ids.size());
  CHECK(distance(exchange(tiny(), tiny(), request).logits, whole.narrow(0, whole.size(0) - own, own)) < 1e-4);
}
