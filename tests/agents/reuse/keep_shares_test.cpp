#include "agents/reuse/keep_shares.hpp"

#include <catch2/catch.hpp>

using namespace kvmesh;
using namespace kvmesh::agents;

namespace {

Wiring wiring(const std::vector<wire::Medium>& in, const std::vector<wire::Medium>& out) {
  Wiring wiring;
  for (const wire::Medium medium : in) {
    wiring.inbound.emplace_back();
    wiring.inbound.back().spec.medium = medium;
  }
  for (const wire::Medium medium : out) {
    wiring.outbound.emplace_back();
    wiring.outbound.back().spec.medium = medium;
  }
  return wiring;
}

constexpr auto kKv = wire::Medium::kKv, kText = wire::Medium::kText;

}  // namespace

TEST_CASE("an agent keeps no more than it is given, whatever its edges") {
  for (const Wiring& each :
       {wiring({}, {}), wiring({kKv}, {}), wiring({}, {kKv}), wiring({kKv, kText}, {kText, kKv})}) {
    const KeepShares shares = keep_shares(each, 1001);
    CHECK(shares.received + shares.prompts + shares.sent == 1001);
  }
}

TEST_CASE(
    "received rows are kept where a kv edge leads in, own prompts where none does, what was sent where one leads out") {
  CHECK(keep_shares(wiring({kText}, {kText}), 100).prompts == 100);
  CHECK(keep_shares(wiring({kKv}, {}), 100).received == 100);
  CHECK(keep_shares(wiring({}, {kKv}), 100).sent == 25);
  CHECK(keep_shares(wiring({}, {kKv}), 100).prompts == 75);
  CHECK(keep_shares(wiring({kKv}, {kKv}), 100).received == 75);
}
