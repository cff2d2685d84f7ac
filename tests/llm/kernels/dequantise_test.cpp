// Quantised blocks as numbers: bit for bit those of PyPI's gguf (tests/golden/gguf/make.py), by every instruction set.

#include <catch2/catch.hpp>
#include <map>

#include "llm/kernels/kernel_sets.hpp"
#include "tests/support/golden.hpp"

using namespace kvmesh::llm;
using namespace kvmesh::test;

namespace {

std::vector<std::byte> bytes_of_hex(const std::string& hex) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2)
    bytes.push_back(static_cast<std::byte>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return bytes;
}

const std::map<std::string, StoredDtype>& types() {
  static const std::map<std::string, StoredDtype> types = {
      {"F16", StoredDtype::kHalf},     {"BF16", StoredDtype::kBFloat16}, {"Q4_0", StoredDtype::kQ4_0},
      {"Q4_1", StoredDtype::kQ4_1},    {"Q5_0", StoredDtype::kQ5_0},     {"Q5_1", StoredDtype::kQ5_1},
      {"Q8_0", StoredDtype::kQ8_0},    {"Q2_K", StoredDtype::kQ2_K},     {"Q3_K", StoredDtype::kQ3_K},
      {"Q4_K", StoredDtype::kQ4_K},    {"Q5_K", StoredDtype::kQ5_K},     {"Q6_K", StoredDtype::kQ6_K},
      {"IQ4_NL", StoredDtype::kIQ4_NL}};
  return types;
}

}  // namespace

TEST_CASE("dequantise: every type gives the reference's numbers bit for bit, by every instruction set") {
  const nlohmann::json golden = read_json(source_dir() / "tests" / "golden" / "gguf" / "quants.json");
  REQUIRE(golden.size() == types().size());
  for (const auto& [name, json] : golden.items()) {
    const StoredDtype dtype = types().at(name);
    const std::vector<std::byte> blocks = bytes_of_hex(json["blocks"]), expected = bytes_of_hex(json["numbers"]);
    const auto count = static_cast<std::int64_t>(blocks.size() / element_size(dtype)) * block_length(dtype);
    REQUIRE(expected.size() == static_cast<std::size_t>(count) * sizeof(float));
    for (const kernels::KernelSet* set : kernels::runnable_sets()) {
      INFO(name << " by " << kvmesh::to_string(set->instruction_set));
      std::vector<float> numbers(static_cast<std::size_t>(count));
      set->dequantise({dtype, blocks.data(), 0, count, numbers.data()}, {0, 1});
      CHECK(std::memcmp(numbers.data(), expected.data(), expected.size()) == 0);
    }
  }
}

TEST_CASE("dequantise: rows are found by their bytes, whatever address they stand at") {
  const nlohmann::json golden = read_json(source_dir() / "tests" / "golden" / "gguf" / "quants.json");
  std::vector<std::byte> blocks = bytes_of_hex(golden["Q6_K"]["blocks"]);
  const std::vector<std::byte> expected = bytes_of_hex(golden["Q6_K"]["numbers"]);
  blocks.insert(blocks.begin(), std::byte{0});
  std::vector<float> numbers(3 * 256);
  const kernels::Dequantise task{StoredDtype::kQ6_K, blocks.data() + 1, 210, 256, numbers.data()};
  kernels::best_set().dequantise(task, {0, 1});
  kernels::best_set().dequantise(task, {1, 3});
  CHECK(std::memcmp(numbers.data(), expected.data(), expected.size()) == 0);
}
