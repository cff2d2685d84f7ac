#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/support/places.hpp"
#include "tests/support/temporary_folder.hpp"

namespace kvmesh::test {

/// A copy of the tiny model, to be changed. Knows nothing of the engine.
class ModelCopy {
 public:
  ModelCopy() {
    const std::filesystem::path from = source_dir() / "models" / "tiny";
    for (const char* file :
         {"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"})
      write(dir() / file, read(from / file));
  }

  const std::filesystem::path& dir() const { return folder_.path(); }
  std::filesystem::path weights() const { return dir() / "model.safetensors"; }

  void set_config(const std::string& field, const nlohmann::json& value) {
    nlohmann::json config = nlohmann::json::parse(read(dir() / "config.json"));
    if (value.is_discarded()) config.erase(field);
    else config[field] = value;
    write(dir() / "config.json", config.dump());
  }
  void remove_config(const std::string& field) {
    set_config(field, nlohmann::json(nlohmann::json::value_t::discarded));
  }

  /// Changes the header of the weights; the data stays.
  void edit_header(const std::function<void(nlohmann::json&)>& edit) {
    nlohmann::json header = nlohmann::json::parse(header_text());
    edit(header);
    set_header_text(header.dump());
  }
  std::string header_text() const { return read(weights()).substr(8, header_bytes()); }
  void set_header_text(const std::string& text) {
    const std::string data = read(weights()).substr(8 + header_bytes());
    const std::uint64_t length = text.size();
    write(weights(), std::string(reinterpret_cast<const char*>(&length), 8) + text + data);
  }

  static std::string read(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static void write(const std::filesystem::path& path, const std::string& bytes) {
    std::filesystem::remove(path);
    std::ofstream(path, std::ios::binary) << bytes;
  }

 private:
  std::uint64_t header_bytes() const {
    std::uint64_t length = 0;
    std::memcpy(&length, read(weights()).data(), sizeof length);
    return length;
  }

  TemporaryFolder folder_;
};

}  // namespace kvmesh::test
