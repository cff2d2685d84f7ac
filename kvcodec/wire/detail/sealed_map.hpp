#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "kvcodec/wire/detail/msgpack_pack.hpp"
#include "kvcodec/wire/detail/msgpack_values.hpp"

/// The msgpack maps of the wire: envelopes, offers and what comes back. Each says its `version` and ends with its own
/// checksum, `xxh3`: a uint 64 over every byte of the map before it (docs/wire.md, "A map on the wire").
namespace kvmesh::wire::detail {

/// Writes the last entry of a map, whose head has counted it. seal_map() fills it in.
void write_seal(Packer& out);
/// To be called once every other byte is what it will be.
void seal_map(std::string& bytes);

/// What read_msgpack() gives of a map whose checksum is right, of our version, that needs nothing which this build does
/// not know: `known` names what it does. Throws Error{kReconnect}, naming `what`, for any other; one of another version
/// is told by its version.
std::vector<MsgpackValue> read_sealed_map(const OwnedBytes& bytes, const char* what,
                                          std::initializer_list<std::string_view> known = {});

}  // namespace kvmesh::wire::detail
