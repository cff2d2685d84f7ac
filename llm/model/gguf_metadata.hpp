#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"

namespace kvmesh::llm {

/// Reads a GGUF header from its beginning, value by value. Whatever would lie behind the end throws Error{kFixInput}
/// that names the file, before anything is allocated.
class GgufCursor {
 public:
  /// `bytes` outlive the cursor.
  GgufCursor(std::string file, std::string_view bytes) : file_(std::move(file)), bytes_(bytes) {}

  /// A number as it stands there: little-endian, at any address.
  template <class T>
  T number();
  /// A length and as many bytes.
  std::string_view text();
  /// Text that names something: printable ASCII, 1 to `longest` bytes; `what` says of what, for the error.
  std::string_view name(std::size_t longest, const char* what);
  /// `count` times `size` bytes.
  std::string_view skip(std::uint64_t count, std::size_t size);

  std::size_t at() const { return at_; }
  std::size_t left() const { return bytes_.size() - at_; }
  const std::string& file() const { return file_; }

 private:
  std::string file_;
  std::string_view bytes_;
  std::size_t at_ = 0;
};

/// What a GGUF file says of itself: keys and typed values, read where they lie in the mapped file, which it keeps
/// mapped. Views that it gives are valid as long as a copy of it lives. Every access names file and key where it
/// fails, with Error{kFixInput}: `find_` gives none where the key is missing, the others throw. A value; const members
/// are thread-safe.
class GgufMetadata {
 public:
  /// As the format numbers them.
  enum class Type : std::uint32_t {
    kUint8,
    kInt8,
    kUint16,
    kInt16,
    kUint32,
    kInt32,
    kFloat32,
    kBool,
    kText,
    kArray,
    kUint64,
    kInt64,
    kFloat64,
  };
  struct Value {
    Type type = Type::kUint8;  ///< of the elements, where it is an array
    bool is_array = false;
    std::uint64_t count = 1;
    std::string_view bytes;  ///< as they stand in the file
  };

  GgufMetadata() = default;
  /// Reads `count` keys. Throws where a key stands twice, and for types that the format does not have.
  static GgufMetadata read(GgufCursor& cursor, std::uint64_t count, OwnedBytes file);

  bool has(std::string_view key) const { return values_.find(key) != values_.end(); }
  /// Whole numbers of every width; one that does not fit int64 is an error.
  std::int64_t integer(std::string_view key) const;
  std::optional<std::int64_t> find_integer(std::string_view key) const;
  /// Finite numbers, whole ones too.
  double real(std::string_view key) const;
  std::optional<double> find_real(std::string_view key) const;
  bool flag(std::string_view key) const;
  std::optional<bool> find_flag(std::string_view key) const;
  std::string_view text(std::string_view key) const;
  std::optional<std::string_view> find_text(std::string_view key) const;

  /// Arrays. Truth values count as 0 and 1.
  std::vector<std::int64_t> integers(std::string_view key) const;
  std::vector<float> reals(std::string_view key) const;
  std::vector<std::string_view> texts(std::string_view key) const;

  /// Every key with its value, in the order of the keys.
  const std::map<std::string, Value, std::less<>>& values() const { return values_; }
  /// For people: "2048", "llama", "[49152 texts]". Long texts are cut.
  std::string describe(std::string_view key) const;

  /// The file that errors name.
  const std::string& file() const { return file_name_; }

 private:
  const Value* find(std::string_view key) const;
  const Value& get(std::string_view key, bool array, const char* expected) const;
  [[noreturn]] void fail_type(std::string_view key, const char* expected) const;

  std::string file_name_;
  OwnedBytes file_;
  std::map<std::string, Value, std::less<>> values_;
};

}  // namespace kvmesh::llm
