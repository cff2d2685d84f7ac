// The shipped reader and solver, against what the training code computes with masks (scripts/train/golden.py).

#include "agents/exchange.hpp"
#include "tests/support/golden.hpp"

using namespace kvmesh;
using namespace kvmesh::test;

TEST_CASE("what the reader shares of one context or two gives the solver the logits of one masked pass over all") {
  const llm::Model reader = llm::Model::load(source_dir() / "models" / "reader", {.dtype = "fp32"});
  const llm::Model solver = llm::Model::load(source_dir() / "models" / "solver", {.dtype = "fp32"});
  for (const auto& golden : read_json(source_dir() / "tests/golden/pair.json")) {
    for (const auto& want : golden["shared"]) {
      CAPTURE(golden["senders"].size(), want["layers"].dump());
      agents::ExchangeRequest request;
      for (const auto& ids : golden["senders"]) request.sender_ids.push_back(ids_of(ids));
      request.receiver_ids = ids_of(golden["receiver"]);
      request.edge.layers.kind = wire::LayerChoice::Kind::kExplicit;
      request.edge.layers.layers = want["layers"].get<std::vector<int>>();
      request.max_tokens = 1;
      const at::Tensor logits = agents::exchange(reader, solver, request).logits;
      CHECK(argmax_of(logits) == ids_of(want["argmax"]));
      // Both are in fp32, and logits reach 30.
      CHECK(distance(logits.logsumexp(-1), tensor_of(want["logsumexp"])) < 1e-3);
      CHECK(distance(logits.select(0, logits.size(0) - 1), tensor_of(want["last_logits"])) < 1e-3);
    }
  }
}
