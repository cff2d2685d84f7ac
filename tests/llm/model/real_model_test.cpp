// Real models from GGUF files against transformers, which made fp32 of the same weights (tests/golden/gguf/make.py).

#include <ATen/ATen.h>

#include "llm/model/model.hpp"
#include "tests/support/golden.hpp"
#include "tests/support/real_models.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace kvmesh::llm;
using namespace kvmesh::test;

namespace {

/// The greatest distance of the logits that were kept.
double worst(const at::Tensor& row, const nlohmann::json& kept, std::int64_t step) {
  double worst = std::abs(row.max().item<double>() - kept["greatest"].get<double>());
  const std::vector<double> some = kept["some"];
  for (std::size_t i = 0; i < some.size(); ++i)
    worst = std::max(worst, std::abs(row[static_cast<std::int64_t>(i) * step].item<double>() - some[i]));
  return worst;
}

/// Bytes of this process's memory that belong to no file.
double own_memory() {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("RssAnon:")) return std::stod(line.substr(8)) * 1024;
  return 0;
}

struct Case {
  const char* file;
  const char* golden;
};

}  // namespace

TEST_CASE("real models: logits of prefill and decode are those of transformers with the dequantised weights") {
  for (const Case& c : {Case{kSmolLm2, "smollm2.json"}, Case{kGemma3, "gemma3.json"}}) {
    const auto path = find_real_model(c.file);
    if (!path) continue;
    const nlohmann::json golden = read_json(source_dir() / "tests" / "golden" / "gguf" / c.golden);
    const std::int64_t step = golden["step"];
    const std::vector<std::int64_t> ids = ids_of(golden["ids"]);
    const Model model = Model::load(*path, {.dtype = "fp32"});

    KvCache cache = model.make_cache(64);
    const at::Tensor whole = model.forward({.embeddings = model.embed(ids), .logits = LogitRows::kAll}, cache).logits;
    for (const auto& [at, kept] : golden["prefill"].items()) {
      INFO(c.file << ": prefill, position " << at);
      CHECK(worst(whole[std::stoll(at)], kept, step) < 1e-3);
    }

    KvCache stepwise = model.make_cache(64);
    model.forward({.embeddings = model.embed(std::span(ids).first(4))}, stepwise);
    for (std::size_t i = 4; i < ids.size(); ++i) {
      const at::Tensor row =
          model.forward({.embeddings = model.embed(std::span(ids).subspan(i, 1)), .phase = Phase::kDecode}, stepwise)
              .logits[0];
      if (!golden["decode"].contains(std::to_string(i))) continue;
      INFO(c.file << ": decode, position " << i);
      CHECK(worst(row, golden["decode"][std::to_string(i)], step) < 1e-3);
    }
  }
}

TEST_CASE("real models: the mapped file is the weights, so that a model takes next to no memory of its own") {
  const auto path = find_real_model(kSmolLm2);
  if (!path) return;
  const double before = own_memory();
  const Model model = Model::load(*path, {});
  CHECK(model.dtype() == at::kFloat);
  CHECK(own_memory() - before < 16e6);
  double pieces = model.embedding_table().bytes();
  for (const LayerWeights& layer : model.weights().layers)
    for (const Matrix& matrix : {layer.qkv, layer.out, layer.gate_up, layer.down}) {
      CHECK_FALSE(matrix.dense().defined());
      pieces += matrix.bytes();
    }
  CHECK(pieces > 0.9 * static_cast<double>(std::filesystem::file_size(*path)));
}

TEST_CASE("real models: a file that changed has another fingerprint, a copy of it the same") {
  const auto path = find_real_model(kSmolLm2);
  if (!path) return;
  const std::string fingerprint = Checkpoint::open(*path).fingerprint();
  const TemporaryFolder folder;
  const std::filesystem::path copy = folder.path() / "copy.gguf";
  std::filesystem::copy_file(*path, copy);
  CHECK(Checkpoint::open(copy).fingerprint() == fingerprint);
  const Checkpoint checkpoint = Checkpoint::open(copy);
  std::fstream file(copy, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(checkpoint.files()[0].entries().at("blk.3.ffn_up.weight").begin + 9));
  file.put('x').flush();
  CHECK(Checkpoint::open(copy).fingerprint() != fingerprint);
}
