#include "agents/llm/checkpoint.hpp"

#include <xxhash.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.hpp"

namespace kvmesh::llm {
namespace {

/// Tensor name to file name, as the index gives it.
std::map<std::string, std::string> read_index(const std::filesystem::path& path) {
  std::ifstream in(path);
  const nlohmann::json json = nlohmann::json::parse(in, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("weight_map") || !json["weight_map"].is_object())
    fail_input(path.string(), ": holds no \"weight_map\" of tensor names to files");
  std::map<std::string, std::string> files;
  for (const auto& [name, file] : json["weight_map"].items()) {
    if (!file.is_string() || file.get<std::string>().find('/') != std::string::npos)
      fail_input(path.string(), ": \"", name, "\" is mapped to ", file.dump(), ", which is no file name");
    files.emplace(name, file.get<std::string>());
  }
  return files;
}

}  // namespace

Checkpoint Checkpoint::open(const std::filesystem::path& model_dir) {
  const auto single = model_dir / "model.safetensors";
  const auto index = model_dir / "model.safetensors.index.json";
  Checkpoint checkpoint;
  if (!std::filesystem::exists(index)) {
    if (!std::filesystem::exists(single))
      fail_input(model_dir.string(), ": holds neither model.safetensors nor model.safetensors.index.json");
    checkpoint.source_ = single;
    checkpoint.files_.push_back(SafetensorsFile::open(single));
    for (const auto& [name, entry] : checkpoint.files_[0].entries()) checkpoint.files_by_tensor_.emplace(name, 0);
    return checkpoint;
  }
  checkpoint.source_ = index;
  std::map<std::string, std::size_t> opened;
  for (const auto& [name, file] : read_index(index)) {
    auto [at, fresh] = opened.try_emplace(file, checkpoint.files_.size());
    if (fresh) {
      if (!std::filesystem::exists(model_dir / file))
        fail_input(index.string(), ": names ", file, " for \"", name, "\", which is not in ", model_dir.string());
      checkpoint.files_.push_back(SafetensorsFile::open(model_dir / file));
    }
    if (!checkpoint.files_[at->second].contains(name))
      fail_input(index.string(), ": says that \"", name, "\" is in ", file, ", but it is not");
    checkpoint.files_by_tensor_.emplace(name, at->second);
  }
  return checkpoint;
}

at::Tensor Checkpoint::get(const std::string& name, at::IntArrayRef shape) const {
  auto found = files_by_tensor_.find(name);
  if (found == files_by_tensor_.end()) fail_input(source_.string(), ": tensor \"", name, "\" is missing");
  const SafetensorsFile& file = files_[found->second];
  at::Tensor tensor = file.get(name);
  if (tensor.sizes() != shape)
    fail_input(file.path().string(), ": tensor \"", name, "\" has shape ", tensor.sizes(), ", config.json asks for ",
               shape);
  return tensor;
}

std::vector<std::string> Checkpoint::names() const {
  std::vector<std::string> names;
  for (const auto& [name, file] : files_by_tensor_) names.push_back(name);
  return names;
}

std::int64_t Checkpoint::parameter_count() const {
  std::int64_t count = 0;
  for (const auto& [name, file] : files_by_tensor_) count += files_[file].get(name).numel();
  return count;
}

std::string Checkpoint::fingerprint() const {
  std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state(XXH3_createState(), &XXH3_freeState);
  XXH3_64bits_reset(state.get());
  for (const auto& [name, file] : files_by_tensor_) {
    const at::Tensor tensor = files_[file].get(name);
    const std::string head = cat(name, ' ', tensor.sizes(), ' ', c10::toString(tensor.scalar_type()), '\n');
    XXH3_64bits_update(state.get(), head.data(), head.size());
    XXH3_64bits_update(state.get(), tensor.data_ptr(), tensor.nbytes());
  }
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(XXH3_64bits_digest(state.get())));
  return text;
}

}  // namespace kvmesh::llm
