#pragma once

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/program.hpp"

namespace kvmesh::test {

/// The objects of JSON Lines.
inline std::vector<nlohmann::json> lines_of(const std::string& text) {
  std::vector<nlohmann::json> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

/// A file of records over and over, each with an id of its own: a run that lasts.
inline std::string copies_of(const std::filesystem::path& file, int copies) {
  std::string all;
  int number = 0;
  for (int i = 0; i < copies; ++i) {
    for (nlohmann::json record : lines_of(read_file(file))) {
      record["id"] = "q" + std::to_string(++number);
      all += record.dump() + "\n";
    }
  }
  return all;
}

}  // namespace kvmesh::test
