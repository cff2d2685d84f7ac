#include "base/byte_budget.hpp"

#include <catch2/catch.hpp>
#include <vector>

using kvmesh::ByteBudget;

TEST_CASE("a budget gives out as many bytes as it has, and those that come back once more") {
  const ByteBudget whole(100);
  ByteBudget budget = whole;  // the same one
  std::vector<ByteBudget::Claim> held;
  held.push_back(*budget.claim(60));
  CHECK_FALSE(budget.claim(41));
  held.push_back(*budget.claim(40));
  CHECK(whole.used() == 100);
  held.erase(held.begin());
  CHECK(whole.used() == 40);
  held.clear();
  CHECK(budget.claim(100));
  CHECK(whole.used() == 0);  // nobody kept it
}
