#include "kvcodec/wire/manifest.hpp"

#include <xxhash.h>

#include <nlohmann/json.hpp>

#include "kvcodec/wire/detail/json.hpp"

namespace kvmesh::wire {
namespace {

using nlohmann::json;

json agreed_fields(const Manifest& manifest) {
  return {
      {"family", manifest.family},
      {"num_key_value_heads", manifest.num_key_value_heads},
      {"head_dim", manifest.head_dim},
      {"rope_theta", manifest.rope_theta},
      {"rope_scaling", manifest.rope_scaling},
      {"position_convention", manifest.position_convention},
  };
}

}  // namespace

std::string Manifest::hash() const {
  const std::string canonical = detail::dump_json(agreed_fields(*this));
  XXH64_canonical_t bytes;
  XXH64_canonicalFromHash(&bytes, XXH3_64bits(canonical.data(), canonical.size()));
  std::string digits;
  for (unsigned char byte : bytes.digest) {
    constexpr char kDigits[] = "0123456789abcdef";
    digits += kDigits[byte >> 4];
    digits += kDigits[byte & 15];
  }
  return digits;
}

std::string to_json(const Manifest& manifest) {
  json object = agreed_fields(manifest);
  object["num_hidden_layers"] = manifest.num_hidden_layers;
  object["hidden_size"] = manifest.hidden_size;
  object["max_position_embeddings"] = manifest.max_position_embeddings;
  object["rope_depends_on_length"] = manifest.rope_depends_on_length;
  return detail::dump_json(object);
}

Manifest manifest_from_json(const std::string& text) {
  const json object = detail::parse_json(text, "manifest");
  const detail::JsonFields fields(object, "manifest");
  Manifest manifest;
  manifest.family = fields.string("family");
  manifest.num_key_value_heads = fields.integer<std::int64_t>("num_key_value_heads", 1);
  manifest.head_dim = fields.integer<std::int64_t>("head_dim", 1);
  manifest.rope_theta = fields.number("rope_theta");
  manifest.rope_scaling = fields.string("rope_scaling");
  manifest.position_convention = fields.string("position_convention");
  manifest.num_hidden_layers = fields.integer<std::int64_t>("num_hidden_layers", 1);
  manifest.hidden_size = fields.integer<std::int64_t>("hidden_size", 1);
  manifest.max_position_embeddings = fields.integer<std::int64_t>("max_position_embeddings", 1);
  manifest.rope_depends_on_length = fields.boolean("rope_depends_on_length");
  return manifest;
}

std::vector<std::string> differences(const Manifest& sender, const Manifest& receiver) {
  // From the same object that hash() covers, so that equal hashes and no differences are one and the same.
  const json ours = agreed_fields(sender);
  const json theirs = agreed_fields(receiver);
  std::vector<std::string> lines;
  for (const char* name :
       {"family", "num_key_value_heads", "head_dim", "rope_theta", "rope_scaling", "position_convention"}) {
    if (ours.at(name) == theirs.at(name)) continue;
    lines.push_back(cat(name, ": ", detail::dump_json(ours.at(name)), " against ", detail::dump_json(theirs.at(name))));
  }
  return lines;
}

}  // namespace kvmesh::wire
