// What `kvmesh check` can know of a model folder without loading it. This program does not link libtorch.

#include "llm/model/check.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "base/error.hpp"
#include "llm/text/chat_template.hpp"
#include "llm/text/tokenizer.hpp"
#include "tests/support/model_copy.hpp"

using namespace kvmesh;
using namespace kvmesh::test;
using Catch::Contains;

namespace {

std::filesystem::path tiny_model() { return source_dir() / "models" / "tiny"; }

/// The last number of the file becomes an fp32 or bf16 NaN.
void damage_a_number(const ModelCopy& model) {
  std::string bytes = ModelCopy::read(model.weights());
  bytes[bytes.size() - 1] = '\x7f';
  bytes[bytes.size() - 2] = '\xff';
  ModelCopy::write(model.weights(), bytes);
}

}  // namespace

TEST_CASE("a sound folder passes the check, weights, tokenizer and template, in a program without libtorch") {
  CHECK(llm::check_checkpoint(tiny_model()).empty());
  CHECK(llm::check_checkpoint(tiny_model(), {.every_number = true}).empty());
  CHECK(llm::Tokenizer::load(tiny_model()).vocab_size() > 0);
  CHECK(llm::ChatTemplate::exists(tiny_model()));
  CHECK(ModelCopy::read("/proc/self/maps").find("libtorch") == std::string::npos);
}

TEST_CASE("the check finds by headers and sizes alone what loading would refuse") {
  {
    ModelCopy model;
    std::filesystem::resize_file(model.weights(), std::filesystem::file_size(model.weights()) - 1000);
    CHECK_THROWS_WITH(llm::check_checkpoint(model.dir()), Contains("is truncated"));
  }
  {
    ModelCopy model;
    model.edit_header([](nlohmann::json& header) { header.erase("model.layers.3.mlp.up_proj.weight"); });
    CHECK_THROWS_WITH(llm::check_checkpoint(model.dir()), Contains("model.layers.3.mlp.up_proj.weight"));
  }
  {
    ModelCopy model;
    model.set_config("intermediate_size", 353);
    CHECK_THROWS_WITH(llm::check_checkpoint(model.dir()), Contains("353") && Contains("has shape"));
  }
}

TEST_CASE("names of dtypes and devices that loading would not take are refused by the check") {
  CHECK_THROWS_WITH(llm::check_checkpoint(tiny_model(), {.dtype = "int3"}), Contains("dtype \"int3\" is not known"));
  for (const char* device : {"tpu", "cuda:", "cuda:x", "cuda:-1", "cpu:0x", ""})
    CHECK_THROWS_WITH(llm::check_checkpoint(tiny_model(), {.device = device}), Contains("is not known; use cpu or"));
  CHECK_NOTHROW(llm::check_checkpoint(tiny_model(), {.dtype = "fp16", .device = "cuda:3"}));
}

TEST_CASE("a number that is not finite is found when every number is read, and only then") {
  ModelCopy model;
  damage_a_number(model);
  CHECK_NOTHROW(llm::check_checkpoint(model.dir()));
  CHECK_THROWS_WITH(llm::check_checkpoint(model.dir(), {.every_number = true}), Contains("NaN or infinity"));
}
