#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "kvcodec/wire/detail/msgpack_guard.hpp"
#include "kvcodec/wire/limits.hpp"

namespace kvmesh::wire::detail {

/// A msgpack value from a peer. Throws Error{kReconnect} that names `what` where it is too long, nested too deeply or
/// no msgpack.
inline nlohmann::json read_msgpack(const OwnedBytes& bytes, const char* what) {
  const auto refuse = [what](const std::string& reason) {
    throw Error(ErrorKind::kReconnect, cat(what, ": ", reason));
  };
  if (bytes.size() > kMaxEnvelopeBytes)
    refuse(cat(bytes.size(), " bytes long, more than the limit of ", kMaxEnvelopeBytes));
  const auto* begin = reinterpret_cast<const std::uint8_t*>(bytes.data());
  const auto* end = begin + bytes.size();
  MsgpackGuard guard;
  if (!nlohmann::json::sax_parse(begin, end, &guard, nlohmann::json::input_format_t::msgpack)) refuse(guard.problem);
  return nlohmann::json::from_msgpack(begin, end);
}

}  // namespace kvmesh::wire::detail
