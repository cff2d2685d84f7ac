// bench_wire MODEL_DIR TEXT FOLDER: what the wire dtypes do to the keys and values of a model that reads TEXT. Prints
// the relative error of each at each layer as a table, |x - y| / |x| over all numbers of the layer, x being fp32.
// FOLDER gets each one's payload in a file, for compressors to be tried on.

#include <ATen/ATen.h>

#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "base/error.hpp"
#include "kvcodec/decode.hpp"
#include "kvcodec/encode.hpp"
#include "llm/host.hpp"

using namespace kvmesh;

namespace {

constexpr wire::WireDtype kDtypes[] = {wire::WireDtype::kBFloat16, wire::WireDtype::kFloat16, wire::WireDtype::kInt8,
                                       wire::WireDtype::kInt4};

double relative_error(const at::Tensor& want, const at::Tensor& got) {
  const at::Tensor exact = want.to(at::kDouble);
  return ((got.to(at::kDouble) - exact).norm() / exact.norm()).item<double>();
}

/// The cache of the first tokens of `text`, as many as the model has positions for.
llm::KvCache read_text(const llm::Host& host, const std::string& path) {
  std::ifstream in(path);
  if (!in) fail_input(path, " cannot be read");
  std::ostringstream text;
  text << in.rdbuf();
  std::vector<std::int64_t> ids = host.tokenizer().encode(text.str(), /*add_special=*/true);
  const llm::Model& model = host.model();
  ids.resize(std::min(ids.size(), static_cast<std::size_t>(model.config().position_limit)));
  llm::KvCache cache = model.make_cache(static_cast<std::int64_t>(ids.size()));
  model.forward({.embeddings = model.embed(ids), .logits = llm::LogitRows::kNone}, cache);
  return cache;
}

void measure(const std::string& model_dir, const std::string& text, const std::filesystem::path& folder) {
  const llm::Host host = llm::Host::load(model_dir, {.dtype = "fp32"});
  const llm::KvCache cache = read_text(host, text);
  std::filesystem::create_directories(folder);
  std::cout << "| layer | bf16 keys | values | fp16 keys | values | int8 keys | values | int4 keys | values |\n"
            << "| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n";
  for (int l = 0; l < cache.layers(); ++l) {
    const llm::LayerCache& layer = cache.layer(l);
    std::cout << "| " << l;
    for (const wire::WireDtype dtype : kDtypes) {
      wire::Envelope envelope;
      envelope.mesh = envelope.from = envelope.to = envelope.request = "bench";
      envelope.count = 1;
      envelope.layer = l;
      // Without the first token, the sink, which an edge that quantises sends as bf16.
      const std::int64_t rows = layer.length() - 1;
      const kvcodec::LayerKv from{layer.keys().narrow(0, 1, rows),
                                  layer.values().narrow(0, 1, rows),
                                  {{.first = 1, .count = rows}}};
      const auto frames = kvcodec::address_rows(kvcodec::pack_rows(from, dtype), envelope).sealed();
      const kvcodec::LayerKv got =
          kvcodec::decode_layer(wire::decode_message(frames), from.keys.size(1), from.keys.size(2));
      char cells[64];
      std::snprintf(cells, sizeof cells, " | %.2g | %.2g", relative_error(from.keys, got.keys),
                    relative_error(from.values, got.values));
      std::cout << cells;
      std::ofstream out(folder / wire::to_string(dtype), l == 0 ? std::ios::binary : std::ios::binary | std::ios::app);
      for (std::size_t i = 1; i < frames.size(); ++i)
        out.write(frames[i].text().data(), static_cast<std::streamsize>(frames[i].size()));
    }
    std::cout << " |\n";
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc != 4) fail_input("usage: bench_wire MODEL_DIR TEXT FOLDER");
    measure(argv[1], argv[2], argv[3]);
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "bench_wire: " << error.what() << "\n";
    return 2;
  }
}
