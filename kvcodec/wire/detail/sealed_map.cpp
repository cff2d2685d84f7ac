#include "kvcodec/wire/detail/sealed_map.hpp"

#include <xxhash.h>

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "base/error.hpp"
#include "kvcodec/wire/limits.hpp"

namespace kvmesh::wire::detail {
namespace {

constexpr std::string_view kKey = "xxh3";
/// The key as a fixstr and the head of a uint 64: what stands before the last eight bytes.
constexpr std::string_view kBefore = "\xa4xxh3\xcf";
constexpr std::size_t kHashBytes = 8;
/// Of `needs`; there are fewer things to need.
constexpr std::size_t kMaxNeeds = 64;

std::uint64_t hash_of(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

/// Throws where the bytes were damaged; false where they carry no checksum at their end.
bool is_sealed(std::string_view bytes, const char* what) {
  if (bytes.size() < kBefore.size() + kHashBytes) return false;
  const std::string_view before = bytes.substr(0, bytes.size() - kHashBytes);
  if (!before.ends_with(kBefore)) return false;
  std::uint64_t says = 0;
  for (const char byte : bytes.substr(before.size())) says = says << 8 | static_cast<std::uint8_t>(byte);
  if (const std::uint64_t is = hash_of(before); says != is) {
    throw Error(ErrorKind::kReconnect,
                cat(what, ": its checksum is ", is, ", but it says ", says, ": it was damaged on its way"));
  }
  return true;
}

void check_version(const MsgpackFields& fields) {
  const auto version = fields.integer<std::int64_t>("version");
  if (version == kProtocolVersion) return;
  fields.refuse(cat("protocol version ", version, ", but this build speaks version ", kProtocolVersion,
                    ": run the same kvmesh at both ends"));
}

void check_needs(const MsgpackValue& map, const MsgpackFields& fields, std::initializer_list<std::string_view> known) {
  Finder finder(map);
  if (finder.find("needs") == map.end()) return;
  for (const MsgpackValue& need : fields.array("needs", kMaxNeeds)) {
    if (need.is_string() && std::find(known.begin(), known.end(), need.text()) != known.end()) continue;
    fields.refuse(cat("it needs ", need.is_string() ? cat('"', need.text().substr(0, 60), '"') : need.type_name(),
                      ", which this build does not know: run the newer kvmesh at both ends"));
  }
}

}  // namespace

void write_seal(Packer& out) {
  write_value(out, kKey);
  out.pack_fix_uint64(0);
}

void seal_map(std::string& bytes) {
  const std::size_t place = bytes.size() - kHashBytes;
  const std::uint64_t hash = hash_of(std::string_view(bytes).substr(0, place));
  for (std::size_t i = 0; i < kHashBytes; ++i) bytes[place + i] = static_cast<char>(hash >> (56 - 8 * i) & 0xff);
}

std::vector<MsgpackValue> read_sealed_map(const OwnedBytes& bytes, const char* what,
                                          std::initializer_list<std::string_view> known) {
  const bool sealed = bytes.size() <= kMaxEnvelopeBytes && is_sealed(bytes.text(), what);
  std::vector<MsgpackValue> values = read_msgpack(bytes, what);
  const MsgpackFields fields(values.front(), what);
  check_version(fields);
  if (!sealed) fields.refuse(cat("it does not end with its checksum, \"", kKey, "\": it was damaged on its way"));
  check_needs(values.front(), fields, known);
  return values;
}

}  // namespace kvmesh::wire::detail
