#include "orchestrator/memory_shares.hpp"

#include <catch2/catch.hpp>

using namespace kvmesh::orchestrator;

namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20, kGiB = 1024 * kMiB;

std::map<std::string, AgentMemory> agents(int count, const AgentMemory& each) {
  std::map<std::string, AgentMemory> agents;
  for (int i = 0; i < count; ++i) agents["a" + std::to_string(i)] = each;
  return agents;
}

}  // namespace

TEST_CASE("thirty agents of a host keep no more together than one would, and may have no more waiting") {
  for (const int count : {1, 2, 30}) {
    MemoryShare all;
    for (const auto& [name, share] : share_memory(agents(count, {.host = "h", .limit = 8 * kGiB}), -1)) {
      all.keep_bytes += share.keep_bytes;
      all.waiting_bytes += share.waiting_bytes;
    }
    CHECK(all.keep_bytes <= kGiB / 2);
    CHECK(all.keep_bytes > kGiB / 2 - 100);
    CHECK(all.waiting_bytes <= 2 * kGiB);
    CHECK(all.waiting_bytes > 2 * kGiB - 100);
  }
}

TEST_CASE("without a word from the topology a host keeps at most 1 GiB, however much memory it has") {
  CHECK(share_memory(agents(1, {.host = "h", .limit = 512 * kGiB}), -1).at("a0").keep_bytes == kGiB);
  CHECK(share_memory(agents(2, {.host = "h"}), -1).at("a0").keep_bytes == 128 * kMiB);  // unknown
}

TEST_CASE("the topology says what the agents of a host keep together") {
  CHECK(share_memory(agents(4, {.host = "h", .limit = kGiB}), 2000).at("a2").keep_bytes == 500 * kMiB);
  CHECK(share_memory(agents(4, {.host = "h", .limit = kGiB}), 0).at("a2").keep_bytes == 0);
}

TEST_CASE("an agent that keeps nothing leaves its share to the others, and one with a bound of its own stays below") {
  auto three = agents(3, {.host = "h", .limit = 16 * kGiB});
  three["a0"].keep_mib = 0;
  three["a1"].keep_mib = 10;
  const auto shares = share_memory(three, -1);
  CHECK(shares.at("a0").keep_bytes == 0);
  CHECK(shares.at("a1").keep_bytes == 10 * kMiB);
  CHECK(shares.at("a2").keep_bytes == 512 * kMiB);
}

TEST_CASE("each host is divided among its own agents, by the tightest of their limits") {
  auto two = agents(2, {.host = "one", .limit = 8 * kGiB});
  two["far"] = {.host = "two", .limit = 8 * kGiB};
  two["a1"].limit = 4 * kGiB;  // in a control group of its own
  const auto shares = share_memory(two, -1);
  CHECK(shares.at("a0") == MemoryShare{.keep_bytes = 128 * kMiB, .waiting_bytes = kGiB / 2});
  CHECK(shares.at("a1") == shares.at("a0"));
  CHECK(shares.at("far") == MemoryShare{.keep_bytes = 512 * kMiB, .waiting_bytes = 2 * kGiB});
}
