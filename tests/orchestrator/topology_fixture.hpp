#pragma once

#include <stdlib.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <string>

#include "base/error.hpp"
#include "kvcodec/wire/manifest.hpp"
#include "orchestrator/topology_yaml.hpp"

namespace kvmesh::orchestrator::test {

/// A folder of its own with a checkpoint folder "tiny" and an empty "records.jsonl" in it, where topologies stand.
class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "kvmesh-test-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot make a temporary folder");
    path_ = pattern;
    std::filesystem::create_directory(path_ / "tiny");
    write("records.jsonl", "");
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::filesystem::path file(const std::string& name) const { return path_ / name; }
  std::filesystem::path write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name) << text;
    return path_ / name;
  }
  Topology parse(const std::string& yaml) const { return parse_topology(yaml, path_ / "mesh.yaml"); }

  /// What parse() says is wrong, without the folder: "mesh.yaml:3: ...". Empty where nothing is.
  std::string complaint(const std::string& yaml) const {
    try {
      parse(yaml);
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::kFixInput);
      const std::string text = error.what();
      const std::string folder = path_.string() + "/";
      return text.starts_with(folder) ? text.substr(folder.size()) : text;
    }
    return "";
  }

 private:
  std::filesystem::path path_;
};

/// A topology's first five lines: version, name, models. Agents start on line 5.
inline std::string head() {
  return "kvmesh: 1\n"
         "name: mesh\n"
         "models:\n"
         "  tiny: {path: tiny}\n";
}

/// reader -> solver, over an edge with `options` on line 9.
inline std::string pair(const std::string& options = "medium: kv", const std::string& solver_prompt = "{question}") {
  return head() +
         "agents:\n"
         "  reader: {model: tiny, prompt: \"{context}\"}\n"
         "  solver: {model: tiny, prompt: \"" +
         solver_prompt +
         "\"}\n"
         "edges:\n"
         "  - {from: reader, to: solver, " +
         options +
         "}\n"
         "output: solver\n";
}

/// Agents a to d and edges "a>b kv", one a line from line 11 on; output d.
inline std::string graph(const std::string& edges) {
  return head() +
         "agents:\n"
         "  a: {model: tiny, prompt: x}\n"
         "  b: {model: tiny, prompt: x}\n"
         "  c: {model: tiny, prompt: x}\n"
         "  d: {model: tiny, prompt: x}\n"
         "edges:\n" +
         edges + "output: d\n";
}
inline std::string edge(const std::string& from, const std::string& to, const std::string& options = "medium: kv") {
  return "  - {from: " + from + ", to: " + to + ", " + options + "}\n";
}

/// What the demo model is.
inline wire::Manifest manifest() {
  wire::Manifest one;
  one.family = "llama";
  one.num_key_value_heads = 2;
  one.head_dim = 32;
  one.rope_theta = 10'000;
  one.num_hidden_layers = 8;
  one.hidden_size = 128;
  one.max_position_embeddings = 512;
  return one;
}

}  // namespace kvmesh::orchestrator::test
