#pragma once

#include <array>
#include <catch2/catch.hpp>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "kvcodec/wire/detail/sealed_map.hpp"
#include "kvcodec/wire/envelope.hpp"
#include "kvcodec/wire/manifest.hpp"

// For failing assertions. libtorch's glog makes every vector printable, and then its elements must be too.
namespace kvmesh::wire {

inline std::ostream& operator<<(std::ostream& out, const PositionRange& range) {
  return out << range.count << " from " << range.first;
}

inline std::ostream& operator<<(std::ostream& out, const TensorFrame& tensor) {
  return out << tensor.name << " " << to_string(tensor.dtype) << " of " << tensor.shape.size() << " axes";
}

}  // namespace kvmesh::wire

namespace kvmesh::test {

/// The text of the Error that `action` throws, "" where it throws none; the kind goes to `kind` where that is wanted.
template <typename Action>
std::string error_of(Action action, ErrorKind* kind = nullptr) {
  try {
    action();
  } catch (const Error& error) {
    if (kind) *kind = error.kind();
    return error.what();
  }
  return "";
}

inline auto holds(const std::string& part) { return Catch::Matchers::Contains(part); }

/// The model of docs/wire.md's examples.
inline wire::Manifest example_manifest() {
  wire::Manifest manifest;
  manifest.family = "llama";
  manifest.num_key_value_heads = 1;
  manifest.head_dim = 2;
  manifest.rope_theta = 10000;
  manifest.num_hidden_layers = 8;
  manifest.hidden_size = 4;
  manifest.max_position_embeddings = 512;
  return manifest;
}

/// The kv message of docs/wire.md: two tokens, one kv head of dimension 2, bf16.
inline wire::Envelope example_envelope() {
  wire::Envelope envelope;
  envelope.mesh = "demo";
  envelope.from = "reader";
  envelope.to = "solver";
  envelope.request = "r0";
  envelope.sequence = 1;
  envelope.count = 3;
  envelope.manifest = example_manifest().hash();
  envelope.tensors = {{.name = "keys", .dtype = wire::Dtype::kBFloat16, .shape = {2, 1, 2}},
                      {.name = "values", .dtype = wire::Dtype::kBFloat16, .shape = {2, 1, 2}}};
  envelope.layer = 4;
  envelope.positions = {{.first = 0, .count = 2}};
  envelope.context_start = 0;
  envelope.context_end = 2;
  envelope.layers_complete = 5;
  return envelope;
}

inline OwnedBytes bytes_of(std::initializer_list<int> numbers) {
  std::string bytes;
  for (int number : numbers) bytes += static_cast<char>(number);
  return OwnedBytes::from_string(std::move(bytes));
}

/// 1, 2, 3, 4 as keys and -1, 0.5, 0, 8 as values.
inline std::vector<OwnedBytes> example_payload() {
  return {bytes_of({0x80, 0x3f, 0x00, 0x40, 0x40, 0x40, 0x80, 0x40}),
          bytes_of({0x80, 0xbf, 0x00, 0x3f, 0x00, 0x00, 0x00, 0x41})};
}

inline std::vector<OwnedBytes> example_frames() { return wire::encode_message(example_envelope(), example_payload()); }

inline nlohmann::json envelope_fields(const OwnedBytes& bytes) {
  return nlohmann::json::from_msgpack(bytes.text().begin(), bytes.text().end());
}

/// The same values as nlohmann writes them: keys sorted, numbers and heads in the shortest form.
inline std::string canonical(const OwnedBytes& bytes) {
  std::string out;
  nlohmann::json::to_msgpack(envelope_fields(bytes), out);
  return out;
}

/// `fields` as a map on the wire, with the checksum that it has then.
inline OwnedBytes sealed(nlohmann::json fields) {
  fields["xxh3"] = ~std::uint64_t{0};  // the last in order, as nlohmann sorts
  std::string bytes;
  nlohmann::json::to_msgpack(fields, bytes);
  wire::detail::seal_map(bytes);
  return OwnedBytes::from_string(std::move(bytes));
}

/// Frames in a file, each behind its length in four bytes, little-endian: tests/kvcodec/wire_peer.py reads and writes
/// the same.
inline std::vector<OwnedBytes> read_frames(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<OwnedBytes> frames;
  std::array<unsigned char, 4> length{};
  while (file.read(reinterpret_cast<char*>(length.data()), 4)) {
    std::string bytes(length[0] | length[1] << 8 | length[2] << 16 | length[3] << 24, '\0');
    file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    frames.push_back(OwnedBytes::from_string(std::move(bytes)));
  }
  return frames;
}

/// The example's envelope after `edit` has changed its fields.
template <typename Edit>
OwnedBytes edited_envelope(Edit edit) {
  nlohmann::json fields = envelope_fields(example_frames().front());
  edit(fields);
  return sealed(std::move(fields));
}

/// The example's message with that envelope.
template <typename Edit>
std::vector<OwnedBytes> edited_message(Edit edit) {
  std::vector<OwnedBytes> frames = example_frames();
  frames.front() = edited_envelope(edit);
  return frames;
}

}  // namespace kvmesh::test
