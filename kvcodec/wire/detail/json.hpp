#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/error.hpp"
#include "kvcodec/wire/detail/fields.hpp"

namespace kvmesh::wire::detail {

using JsonFields = Fields<nlohmann::json>;

/// Throws Error{kReconnect} where `text` is not JSON.
inline nlohmann::json parse_json(const std::string& text, const char* what) {
  nlohmann::json parsed = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (parsed.is_discarded())
    throw Error(ErrorKind::kReconnect, cat(what, " is not JSON: \"", text.substr(0, 80), "\""));
  return parsed;
}

/// No spaces, keys sorted; bytes that are not UTF-8 become U+FFFD.
inline std::string dump_json(const nlohmann::json& object) {
  return object.dump(-1, ' ', /*ensure_ascii=*/false, nlohmann::json::error_handler_t::replace);
}

}  // namespace kvmesh::wire::detail
