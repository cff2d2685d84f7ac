#include "llm/model/checkpoint.hpp"

#include <xxhash.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "llm/model/finite.hpp"

namespace kvmesh::llm {
namespace {

/// Bytes of a tensor that are looked at, hashed and copied before the next: they stay in the second-level cache.
constexpr std::size_t kPieceBytes = 1 << 20;

using Hash = std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)>;
Hash new_hash() {
  Hash hash(XXH3_createState(), &XXH3_freeState);
  XXH3_64bits_reset(hash.get());
  return hash;
}

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
      fail_input(model_dir.string(), ": holds neither model.safetensors nor model.safetensors.index.json",
                 std::filesystem::exists(model_dir / "pytorch_model.bin") ||
                         std::filesystem::exists(model_dir / "pytorch_model.bin.index.json")
                     ? "; pytorch_model.bin is not read, convert it to safetensors"
                     : "");
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

const SafetensorsFile& Checkpoint::file_of(const std::string& name) const {
  auto found = files_by_tensor_.find(name);
  if (found == files_by_tensor_.end()) fail_input(source_.string(), ": tensor \"", name, "\" is missing");
  return files_[found->second];
}

at::Tensor Checkpoint::get(const std::string& name, at::IntArrayRef shape) const {
  const SafetensorsFile& file = file_of(name);
  at::Tensor tensor = file.get(name);
  if (tensor.sizes() != shape)
    fail_input(file.path().string(), ": tensor \"", name, "\" has shape ", tensor.sizes(), ", config.json asks for ",
               shape);
  if (!tensor.is_floating_point())
    fail_input(file.path().string(), ": tensor \"", name, "\" holds ", c10::toString(tensor.scalar_type()),
               "; weights are F32, BF16 or F16, quantised ones are not supported");
  return tensor;
}

std::uint64_t Checkpoint::read(const std::string& name, at::IntArrayRef shape, const at::Tensor& into) const {
  const SafetensorsFile& file = file_of(name);
  const at::Tensor tensor = get(name, shape).view(-1);
  const at::Tensor target = into.defined() ? into.view(-1) : into;
  const auto element = static_cast<std::int64_t>(tensor.element_size());
  const std::int64_t step = static_cast<std::int64_t>(kPieceBytes) / element;
  const std::size_t first_byte = file.entries().at(name).begin;
  Hash hash = new_hash();
  for (std::int64_t begin = 0; begin < tensor.numel(); begin += step) {
    const std::int64_t count = std::min(step, tensor.numel() - begin);
    const at::Tensor piece = tensor.narrow(0, begin, count);
    XXH3_64bits_update(hash.get(), piece.data_ptr(), piece.nbytes());
    if (!all_finite(piece.data_ptr(), piece.numel(), piece.scalar_type()))
      fail_input(file.path().string(), ": tensor \"", name, "\" holds NaN or infinity; the weights are damaged");
    if (!target.defined()) continue;
    if (!target.is_meta()) target.narrow(0, begin, count).copy_(piece);
    file.release(first_byte + static_cast<std::size_t>(begin * element),
                 first_byte + static_cast<std::size_t>((begin + count) * element));
  }
  return XXH3_64bits_digest(hash.get());
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

std::string Checkpoint::fingerprint(std::map<std::string, std::uint64_t> digests) const {
  Hash hash = new_hash();
  for (const auto& [name, index] : files_by_tensor_) {
    const SafetensorsFile& file = files_[index];
    const SafetensorsFile::Entry& entry = file.entries().at(name);
    auto [digest, unread] = digests.try_emplace(name, 0);
    if (unread) {
      const at::Tensor tensor = file.get(name);
      digest->second = XXH3_64bits(tensor.data_ptr(), tensor.nbytes());
      file.release(entry.begin, entry.end);
    }
    const std::string line =
        cat(name, ' ', at::IntArrayRef(entry.shape), ' ', c10::toString(entry.dtype), ' ', digest->second, '\n');
    XXH3_64bits_update(hash.get(), line.data(), line.size());
  }
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(XXH3_64bits_digest(hash.get())));
  return text;
}

}  // namespace kvmesh::llm
