// GGUF files: what stands in them, split ones, and hostile ones. Files are written here, byte by byte.

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>

#include "base/error.hpp"
#include "llm/model/gguf.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace kvmesh;
using namespace kvmesh::llm;
using namespace kvmesh::test;
using Catch::Contains;

namespace {

/// A file with some of everything.
GgufWriter sample() {
  GgufWriter file;
  file.text("general.architecture", "llama").u32("llama.block_count", 2).f32("llama.rope.freq_base", 10000);
  file.flag("tokenizer.ggml.add_bos_token", true).texts("tokenizer.ggml.tokens", {"a", "", "c d"});
  file.numbers<float>("tokenizer.ggml.scores", 6, {0, -1.5f}).numbers<std::int32_t>("types", 5, {1, -2, 3});
  file.floats("norm", {2}, {1, 2}).floats("table", {2, 3}, {1, 2, 3, 4, 5, 6});
  file.tensor("blocks", {2, 64}, /*Q4_0*/ 2, std::string(2 * 2 * 18, 'x'));
  return file;
}

class Files : public TemporaryFolder {
 public:
  GgufFile open(const GgufWriter& file) const { return GgufFile::open(file.write(path() / "model.gguf")); }
  GgufFile open(const std::string& bytes) const { return GgufFile::open(write("model.gguf", bytes)); }
  template <class File>
  std::string problem_of(const File& file) const {
    try {
      open(file);
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::kFixInput);
      CHECK_THAT(error.what(), Contains("model.gguf"));
      CHECK(std::string(error.what()).find('\n') == std::string::npos);
      return error.what();
    }
    return "opened";
  }
};

constexpr std::uint64_t kHuge = std::uint64_t{1} << 62;

}  // namespace

TEST_CASE("metadata of every type is read by its key") {
  const Files files;
  GgufWriter file = sample();
  file.key("u8", 0, "\x07").key("i8", 1, "\xff").key("u16", 2, GgufWriter::raw(std::uint16_t{300}));
  file.key("i16", 3, GgufWriter::raw(std::int16_t{-300})).key("i32", 5, GgufWriter::raw(std::int32_t{-7}));
  file.key("u64", 10, GgufWriter::raw(std::uint64_t{1} << 40)).key("i64", 11, GgufWriter::raw(std::int64_t{-1}));
  file.key("f64", 12, GgufWriter::raw(0.1));
  const GgufMetadata metadata = files.open(file).metadata();
  CHECK(metadata.text("general.architecture") == "llama");
  CHECK(metadata.integer("llama.block_count") == 2);
  CHECK(metadata.real("llama.rope.freq_base") == 10000);
  CHECK(metadata.real("llama.block_count") == 2);
  CHECK(metadata.flag("tokenizer.ggml.add_bos_token"));
  CHECK(metadata.texts("tokenizer.ggml.tokens") == std::vector<std::string_view>{"a", "", "c d"});
  CHECK(metadata.reals("tokenizer.ggml.scores") == std::vector<float>{0, -1.5f});
  CHECK(metadata.integers("types") == std::vector<std::int64_t>{1, -2, 3});
  CHECK(metadata.integer("u8") == 7);
  CHECK(metadata.integer("i8") == -1);
  CHECK(metadata.integer("u16") == 300);
  CHECK(metadata.integer("i16") == -300);
  CHECK(metadata.integer("i32") == -7);
  CHECK(metadata.integer("u64") == std::int64_t{1} << 40);
  CHECK(metadata.integer("i64") == -1);
  CHECK(metadata.real("f64") == 0.1);
  CHECK_FALSE(metadata.find_integer("llama.missing"));
  CHECK(metadata.describe("tokenizer.ggml.tokens") == "[3 texts]");
}

TEST_CASE("a key that is missing or of another type is an error with file and key") {
  const Files files;
  GgufWriter file = sample();
  file.key("u64", 10, GgufWriter::raw(~std::uint64_t{0}));
  const GgufMetadata metadata = files.open(file).metadata();
  CHECK_THROWS_WITH(metadata.integer("llama.missing"), Contains("model.gguf: key \"llama.missing\" is missing"));
  CHECK_THROWS_WITH(metadata.integer("general.architecture"),
                    Contains("key \"general.architecture\" is \"llama\", where a whole number is expected"));
  CHECK_THROWS_WITH(metadata.integer("llama.rope.freq_base"), Contains("where a whole number is expected"));
  CHECK_THROWS_WITH(metadata.integer("u64"), Contains("18446744073709551615"));
  CHECK_THROWS_WITH(metadata.text("types"), Contains("is [3 whole numbers], where a text is expected"));
  CHECK_THROWS_WITH(metadata.texts("types"), Contains("where an array of texts is expected"));
  CHECK_THROWS_WITH(metadata.integers("llama.block_count"), Contains("where an array of whole numbers is expected"));
  CHECK_THROWS_WITH(metadata.flag("llama.block_count"), Contains("where true or false is expected"));
}

TEST_CASE("a tensor has its rows first and its bytes where they lie in the mapped file") {
  const Files files;
  for (const std::uint32_t version : {2u, 3u}) {
    GgufWriter writer = sample();
    writer.version = version;
    const GgufFile file = files.open(writer);
    REQUIRE(file.parts().size() == 1);
    const StoredTensor table = file.parts()[0].get("table");
    CHECK(table.dtype == StoredDtype::kFloat);
    CHECK(table.shape == std::vector<std::int64_t>{2, 3});
    CHECK(table.bytes.text() == writer.tensors[1].bytes);
    const StoredTensor blocks = file.parts()[0].get("blocks");
    CHECK(blocks.dtype == StoredDtype::kQ4_0);
    CHECK(blocks.count() == 128);
    CHECK(blocks.bytes.size() == 72);
  }
}

TEST_CASE("a file with an alignment of its own is read by it") {
  const Files files;
  GgufWriter writer;
  writer.alignment = 256;
  writer.u32("general.alignment", 256).floats("a", {1}, {1}).floats("b", {1}, {2});
  CHECK(files.open(writer).parts()[0].get("b").bytes.text() == writer.tensors[1].bytes);
  for (const std::uint32_t wrong : {0u, 3u, 1u << 30}) {
    GgufWriter other;
    other.u32("general.alignment", wrong);
    CHECK_THAT(files.problem_of(other), Contains("general.alignment") && Contains("power of two"));
  }
}

TEST_CASE("a split model is all of its files, named by the first") {
  const Files files;
  const auto part = [&](std::uint16_t number) {
    GgufWriter file;
    file.key("split.no", 2, GgufWriter::raw(number)).key("split.count", 2, GgufWriter::raw(std::uint16_t{2}));
    file.key("split.tensors.count", 5, GgufWriter::raw(std::int32_t{2}));
    return file;
  };
  GgufWriter first = part(0), second = part(1);
  first.text("general.architecture", "llama").floats("a", {1}, {1});
  second.floats("b", {1}, {2});
  const auto first_path = first.write(files.path() / "m-00001-of-00002.gguf");
  const auto second_path = files.path() / "m-00002-of-00002.gguf";
  CHECK_THROWS_WITH(GgufFile::open(first_path), Contains("m-00002-of-00002.gguf: is not there"));
  second.write(second_path);
  const GgufFile file = GgufFile::open(first_path);
  REQUIRE(file.parts().size() == 2);
  CHECK(file.parts()[1].contains("b"));
  CHECK(file.metadata().text("general.architecture") == "llama");
  CHECK_THROWS_WITH(GgufFile::open(second_path), Contains("name the first") && Contains("m-00001-of-00002.gguf"));
  CHECK_THROWS_WITH(GgufFile::open(first.write(files.path() / "m.gguf")), Contains("give it its name back"));

  SECTION("a tensor in two of them") {
    second.floats("a", {1}, {2}).write(second_path);
    CHECK_THROWS_WITH(GgufFile::open(first_path), Contains("tensor \"a\" is in another part of the model too"));
  }
  SECTION("one of another model") {
    part(0).floats("b", {1}, {2}).write(second_path);
    CHECK_THROWS_WITH(GgufFile::open(first_path), Contains("m-00002-of-00002.gguf: is not part 2"));
  }
  SECTION("one that lost a tensor") {
    part(1).write(second_path);
    CHECK_THROWS_WITH(GgufFile::open(first_path), Contains("should have 2 tensors, its files have 1"));
  }
}

TEST_CASE("what is no GGUF file is told from one that is of another kind") {
  const Files files;
  GgufWriter file = sample();
  file.magic = 0x67676a74;
  CHECK_THAT(files.problem_of(file), Contains("is not a GGUF file"));
  file = sample();
  file.version = 1;
  CHECK_THAT(files.problem_of(file), Contains("GGUF version 1; versions 2 and 3 are read"));
  file.version = 0x03000000;
  CHECK_THAT(files.problem_of(file), Contains("big-endian"));
  CHECK_THAT(files.problem_of(std::string("GGUF")), Contains("too few"));
  CHECK_THAT(files.problem_of(std::string("version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 9\n")),
             Contains("git-LFS pointer") && Contains("git lfs pull"));
  CHECK_THROWS_WITH(GgufFile::open(files.path()), Contains("is a folder"));
  CHECK_THROWS_WITH(GgufFile::open(files.path() / "none.gguf"), Contains("none.gguf: cannot be opened"));
}

TEST_CASE("a file that is cut off anywhere is refused") {
  const Files files;
  const std::string whole = sample().bytes();
  for (std::size_t size = 0; size < whole.size(); ++size) REQUIRE(files.problem_of(whole.substr(0, size)) != "opened");
  CHECK_THAT(files.problem_of(whole.substr(0, whole.size() - 1)),
             Contains("is truncated") && Contains("fetch it again"));
}

TEST_CASE("counts and lengths beyond the file are refused before anything is allocated") {
  const Files files;
  GgufWriter file = sample();
  file.key_count = kHuge;
  CHECK_THAT(files.problem_of(file), Contains("claims 4611686018427387904 keys"));
  file = sample();
  file.tensor_count = kHuge;
  CHECK_THAT(files.problem_of(file), Contains("tensors in"));
  for (const std::uint32_t type : {0u, 6u, 8u, 12u}) {
    file = sample();
    file.key("lie", 9, GgufWriter::raw(type) + GgufWriter::raw(kHuge));
    CHECK_THAT(files.problem_of(file), Contains("4611686018427387904"));
  }
  file = sample();
  file.key("lie", 8, GgufWriter::raw(kHuge));
  CHECK_THAT(files.problem_of(file), Contains("4611686018427387904"));
}

TEST_CASE("keys that stand twice, have no name or a type that GGUF does not have are refused") {
  const Files files;
  CHECK_THAT(files.problem_of(sample().u32("llama.block_count", 3)),
             Contains("\"llama.block_count\" stands there twice"));
  CHECK_THAT(files.problem_of(sample().u32("", 3)), Contains("is no name of a key"));
  CHECK_THAT(files.problem_of(sample().u32("a\nb", 3)), Contains("is no name of a key"));
  CHECK_THAT(files.problem_of(sample().key("odd", 13, "")), Contains("\"odd\" has a value of type 13"));
  const std::string nested = GgufWriter::raw(std::uint32_t{9}) + GgufWriter::raw(std::uint64_t{0});
  CHECK_THAT(files.problem_of(sample().key("nested", 9, nested)), Contains("array of arrays"));
}

TEST_CASE("tensors whose name, shape, type or place cannot be are refused") {
  const Files files;
  const auto with = [&](const auto& change) {
    GgufWriter file = sample();
    change(file.tensors[1]);
    return files.problem_of(file);
  };
  using Tensor = GgufWriter::Tensor;
  CHECK_THAT(with([](Tensor& t) { t.name = "norm"; }), Contains("tensor \"norm\" stands there twice"));
  CHECK_THAT(with([](Tensor& t) { t.name = std::string(300, 'x'); }), Contains("is no name of a tensor"));
  CHECK_THAT(with([](Tensor& t) { t.extents = {}; }), Contains("\"table\" has 0 dimensions"));
  CHECK_THAT(with([](Tensor& t) { t.extents = {1, 1, 1, 2, 3}; }), Contains("\"table\" has 5 dimensions"));
  CHECK_THAT(with([](Tensor& t) { t.extents = {2, 0}; }), Contains("an extent of 0"));
  CHECK_THAT(with([](Tensor& t) { t.extents = {kHuge, 4}; }), Contains("an extent of"));
  const auto wide = std::uint64_t{1} << 40;
  CHECK_THAT(with([&](Tensor& t) { t.extents = {wide, wide}; }), Contains("beyond any memory"));
  CHECK_THAT(with([](Tensor& t) { t.type = 16; }),
             Contains("has type IQ2_XXS, which is not supported; supported: F32"));
  CHECK_THAT(with([](Tensor& t) { t.type = 4711; }), Contains("has type 4711"));
  CHECK_THAT(with([](Tensor& t) { t.type = 12; }), Contains("rows of 3 numbers; Q4_K needs a multiple of 256"));
  CHECK_THAT(with([](Tensor& t) { t.offset += 4; }), Contains("no multiple of the file's alignment 32"));
  CHECK_THAT(with([](Tensor& t) { t.offset = 0; }), Contains("overlap"));
  CHECK_THAT(with([&](Tensor& t) { t.offset = wide; }), Contains("is truncated"));
  CHECK_THAT(with([](Tensor& t) { t.offset = ~std::uint64_t{31}; }), Contains("beyond any memory"));
}

TEST_CASE("a file with any of its bytes changed opens or is refused, and every value in it can be read") {
  const Files files;
  const std::string whole = sample().bytes();
  std::mt19937 random(7);
  for (int round = 0; round < 4000; ++round) {
    std::string bytes = whole;
    for (unsigned changes = 1 + random() % 3; changes > 0; --changes)
      bytes[random() % bytes.size()] = random() % 4 == 0 ? '\xff' : static_cast<char>(random());
    try {
      const GgufFile file = files.open(bytes);
      for (const auto& [key, value] : file.metadata().values()) file.metadata().describe(key);
      for (const auto& [name, entry] : file.parts()[0].entries())
        CHECK(file.parts()[0].get(name).bytes.size() == bytes_of(entry.dtype, entry.shape));
      if (file.metadata().has("tokenizer.ggml.tokens")) file.metadata().texts("tokenizer.ggml.tokens");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::kFixInput);
    }
  }
}

TEST_CASE("a model is GGUF where it is a file or is called so, else a folder") {
  const Files files;
  CHECK(is_gguf("/nowhere/model.gguf"));
  CHECK(is_gguf(files.write("sha256-0123", "GGUF")));
  CHECK_FALSE(is_gguf(files.path()));
  CHECK_FALSE(is_gguf(files.path() / "none"));
}
