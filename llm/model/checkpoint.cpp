#include "llm/model/checkpoint.hpp"

#include <xxhash.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.hpp"
#include "llm/model/finite.hpp"
#include "llm/model/folder_files.hpp"
#include "llm/model/gguf.hpp"
#include "llm/model/safetensors.hpp"

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

/// Of the first, the middle and the last page, or of all bytes where there are no more.
std::uint64_t digest_of_pages(std::span<const std::byte> bytes) {
  constexpr std::size_t kPage = 4096;
  if (bytes.size() <= 3 * kPage) return XXH3_64bits(bytes.data(), bytes.size());
  Hash hash = new_hash();
  for (const std::size_t at : {std::size_t{0}, bytes.size() / 2, bytes.size() - kPage})
    XXH3_64bits_update(hash.get(), bytes.data() + at, kPage);
  return XXH3_64bits_digest(hash.get());
}

/// Tensor name to file name, as the index gives it.
std::map<std::string, std::string> read_index(const std::filesystem::path& path) {
  const nlohmann::json json = read_json_object(path);
  if (!json.contains("weight_map") || !json["weight_map"].is_object())
    fail_input(path.string(), ": holds no \"weight_map\" of tensor names to files");
  std::map<std::string, std::string> files;
  for (const auto& [name, file] : json["weight_map"].items()) {
    if (!file.is_string() || file.get<std::string>().find('/') != std::string::npos)
      fail_input(path.string(), ": \"", name, "\" is mapped to ", file.dump(), ", which is no file name");
    files.emplace(name, file.get<std::string>());
  }
  return files;
}

/// What a folder without weights holds in their place, for the message.
std::string describe_other_weights(const std::filesystem::path& model_dir) {
  if (!is_there(model_dir)) return "; there is no such folder";
  for (const char* name : {"pytorch_model.bin", "pytorch_model.bin.index.json"})
    if (is_there(model_dir / name)) return "; pytorch_model.bin is not read, convert it to safetensors";
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(model_dir, ignored))
    if (entry.path().extension() == ".safetensors")
      return "; " + entry.path().filename().string() + " is not read under that name";
  return "";
}

}  // namespace

Checkpoint Checkpoint::open(const std::filesystem::path& model_dir) {
  if (llm::is_gguf(model_dir)) {
    Checkpoint checkpoint;
    checkpoint.open_gguf(model_dir);
    return checkpoint;
  }
  const auto single = model_dir / "model.safetensors", index = model_dir / "model.safetensors.index.json";
  if (is_there(model_dir / "adapter_config.json"))
    fail_input((model_dir / "adapter_config.json").string(),
               ": describes an adapter (LoRA), which is not applied; merge it into the weights, or move it away");
  Checkpoint checkpoint;
  if (is_there(index)) {
    checkpoint.source_ = index;
    checkpoint.open_shards(model_dir);
  } else {
    if (!is_there(single))
      fail_input(model_dir.string(), ": holds neither model.safetensors nor model.safetensors.index.json",
                 describe_other_weights(model_dir));
    checkpoint.source_ = single;
    checkpoint.add_file(single);
    for (const auto& [name, entry] : checkpoint.files_[0].entries()) checkpoint.files_by_tensor_.emplace(name, 0);
  }
  checkpoint.note_unread_files(model_dir);
  return checkpoint;
}

void Checkpoint::open_gguf(const std::filesystem::path& path) {
  is_gguf_ = true;
  source_ = path;
  files_ = GgufFile::open(path).parts();
  for (std::size_t file = 0; file < files_.size(); ++file)
    for (const auto& [name, entry] : files_[file].entries()) files_by_tensor_.emplace(name, file);
}

void Checkpoint::add_file(const std::filesystem::path& path) { files_.push_back(open_safetensors(path)); }

/// The index decides where a tensor is. Tensors of its files that it does not name count too, as in transformers, which
/// loads the files whole.
void Checkpoint::open_shards(const std::filesystem::path& model_dir) {
  std::map<std::string, std::size_t> opened;
  for (const auto& [name, file] : read_index(source_)) {
    auto [at, fresh] = opened.try_emplace(file, files_.size());
    if (fresh) {
      if (!is_there(model_dir / file))
        fail_input(source_.string(), ": names ", file, " for \"", name, "\", which is not in ", model_dir.string());
      add_file(model_dir / file);
    }
    if (!files_[at->second].contains(name))
      fail_input(source_.string(), ": says that \"", name, "\" is in ", file, ", but it is not");
    files_by_tensor_.emplace(name, at->second);
  }
  const std::map<std::string, std::size_t> named = files_by_tensor_;
  for (std::size_t file = 0; file < files_.size(); ++file) {
    for (const auto& [name, entry] : files_[file].entries()) {
      const auto [at, fresh] = files_by_tensor_.emplace(name, file);
      if (!fresh && at->second != file && named.count(name) == 0)
        fail_input(source_.string(), ": does not say whether \"", name, "\" is that of ",
                   files_[at->second].path().filename().string(), " or of ", files_[file].path().filename().string());
    }
  }
}

void Checkpoint::note_unread_files(const std::filesystem::path& model_dir) {
  std::set<std::filesystem::path> unread;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(model_dir, ignored))
    if (entry.path().extension() == ".safetensors") unread.insert(entry.path().filename());
  for (const TensorFile& file : files_) unread.erase(file.path().filename());
  for (const std::filesystem::path& file : unread)
    notes_.push_back(cat(file.string(), " is not read: the weights are those of ", source_.filename().string()));
}

void Checkpoint::refuse_stopped(const std::stop_token& stop) const {
  if (stop.stop_requested()) throw Error(ErrorKind::kGiveUp, cat(source_.string(), ": loading was stopped"));
}

const TensorFile& Checkpoint::file_of(const std::string& name) const {
  auto found = files_by_tensor_.find(name);
  if (found == files_by_tensor_.end()) fail_input(source_.string(), ": tensor \"", name, "\" is missing");
  return files_[found->second];
}

StoredTensor Checkpoint::get(const std::string& name, std::span<const std::int64_t> shape) const {
  const TensorFile& file = file_of(name);
  StoredTensor tensor = file.get(name);
  if (!std::equal(shape.begin(), shape.end(), tensor.shape.begin(), tensor.shape.end()))
    fail_input(file.path().string(), ": tensor \"", name, "\" has shape ", describe_shape(tensor.shape),
               is_gguf_ ? ", its metadata asks for " : ", config.json asks for ", describe_shape(shape));
  if (!is_floating_point(tensor.dtype) && !is_quantised(tensor.dtype))
    fail_input(file.path().string(), ": tensor \"", name, "\" holds ", name_of(tensor.dtype),
               "; weights are F32, BF16 or F16, quantised ones are read from GGUF files alone");
  return tensor;
}

std::uint64_t Checkpoint::read(const std::string& name, std::span<const std::int64_t> shape,
                               const ReadOptions& options) const {
  const TensorFile& file = file_of(name);
  const StoredTensor tensor = get(name, shape);
  const std::size_t element = element_size(tensor.dtype), first_byte = file.entries().at(name).begin;
  const std::size_t piece_bytes = kPieceBytes / element * element;
  const std::int64_t block = block_length(tensor.dtype);
  Hash hash = new_hash();
  for (std::size_t begin = 0; begin < tensor.bytes.size(); begin += piece_bytes) {
    refuse_stopped(options.stop);
    const std::size_t size = std::min(piece_bytes, tensor.bytes.size() - begin);
    const std::span<const std::byte> piece = tensor.bytes.span().subspan(begin, size);
    XXH3_64bits_update(hash.get(), piece.data(), size);
    if (!all_finite(piece, tensor.dtype))
      fail_input(file.path().string(), ": tensor \"", name, "\" holds NaN or infinity; the weights are damaged");
    if (options.on_piece) options.on_piece(static_cast<std::int64_t>(begin / element) * block, piece);
    if (options.release) file.release(first_byte + begin, first_byte + begin + size);
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
  for (const auto& [name, file] : files_by_tensor_) count += files_[file].get(name).count();
  return count;
}

std::string Checkpoint::fingerprint(std::map<std::string, std::uint64_t> digests, const std::stop_token& stop) const {
  Hash hash = new_hash();
  for (const auto& [name, index] : files_by_tensor_) {
    const TensorFile& file = files_[index];
    const TensorFile::Entry& entry = file.entries().at(name);
    auto [digest, unread] = digests.try_emplace(name, 0);
    if (is_gguf_) {
      digest->second = digest_of_pages(file.get(name).bytes.span());
    } else if (unread) {
      refuse_stopped(stop);
      const StoredTensor tensor = file.get(name);
      digest->second = XXH3_64bits(tensor.bytes.data(), tensor.bytes.size());
      file.release(entry.begin, entry.end);
    }
    const std::string line =
        cat(name, ' ', describe_shape(entry.shape), ' ', name_of(entry.dtype), ' ', digest->second, '\n');
    XXH3_64bits_update(hash.get(), line.data(), line.size());
  }
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(XXH3_64bits_digest(hash.get())));
  return text;
}

}  // namespace kvmesh::llm
