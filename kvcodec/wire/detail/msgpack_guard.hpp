#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "kvcodec/wire/limits.hpp"

namespace kvmesh::wire::detail {

/// Walks msgpack without building anything and stops at what must not be built: nesting beyond kMaxEnvelopeDepth
/// (nlohmann's reader recurses once a level, so depth is stack) and a top-level key that comes twice (readers would
/// differ in which they take). `problem` says what stopped it.
class MsgpackGuard : public nlohmann::json_sax<nlohmann::json> {
 public:
  std::string problem;

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override { return enter(); }
  bool start_array(std::size_t) override { return enter(); }
  bool end_object() override { return leave(); }
  bool end_array() override { return leave(); }

  bool key(string_t& name) override {
    if (depth_ == 1 && !keys_.insert(name).second) problem = "field \"" + name + "\" comes twice";
    return problem.empty();
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) override {
    problem = "not msgpack from byte " + std::to_string(position) + " on";
    return false;
  }

 private:
  bool enter() {
    if (++depth_ > kMaxEnvelopeDepth) {
      problem = "nested more deeply than the limit of " + std::to_string(kMaxEnvelopeDepth) + " levels";
    }
    return problem.empty();
  }
  bool leave() {
    --depth_;
    return true;
  }

  int depth_ = 0;
  std::set<std::string> keys_;
};

}  // namespace kvmesh::wire::detail
