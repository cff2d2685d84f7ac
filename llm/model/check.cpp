#include "llm/model/check.hpp"

#include "llm/model/compute_options.hpp"
#include "llm/model/config.hpp"

namespace kvmesh::llm {

std::vector<std::string> check_checkpoint(const std::filesystem::path& model_dir, const CheckOptions& options) {
  const ModelConfig config = read_config(model_dir);
  refuse_unknown_device(options.device);
  parse_compute_dtype(options.dtype);
  const Checkpoint checkpoint = Checkpoint::open(model_dir);
  const WeightSources sources = find_weights(checkpoint, config);
  if (options.every_number) read_every_number(checkpoint, sources, options.stop);
  std::vector<std::string> notes = config.notes;
  notes.insert(notes.end(), sources.notes.begin(), sources.notes.end());
  return notes;
}

std::map<std::string, std::uint64_t> read_every_number(const Checkpoint& checkpoint, const WeightSources& sources,
                                                       const std::stop_token& stop) {
  std::map<std::string, std::uint64_t> digests;
  for_each_source(sources, [&](const WeightSource& source) {
    for (const SourceTensor& tensor : source) {
      auto [digest, fresh] = digests.try_emplace(tensor.name, 0);
      if (fresh) digest->second = checkpoint.read(tensor.name, tensor.shape, {.on_piece = nullptr, .stop = stop});
    }
  });
  return digests;
}

}  // namespace kvmesh::llm
