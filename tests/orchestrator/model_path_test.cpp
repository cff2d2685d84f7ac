#include <catch2/catch.hpp>

#include "base/error.hpp"
#include "orchestrator/model_path.hpp"
#include "tests/support/environment.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace kvmesh;
using Catch::Matchers::Contains;
using orchestrator::resolve_model;
namespace fs = std::filesystem;

namespace {

const std::string kCommit = "12fd25f77366fa6b3b4b768ec3050bf629380bac";
const std::string kDigest = "sha256:0000000000000000000000000000000000000000000000000000000000000abc";

/// A home folder with a Hugging Face cache and an Ollama store, as these programs lay them out, and nothing else of the
/// environment.
class Home {
 public:
  fs::path path(const std::string& name) const { return folder_.path() / name; }
  fs::path write(const std::string& name, const std::string& text = "GGUF") const {
    fs::create_directories(path(name).parent_path());
    return folder_.write(name, text);
  }
  /// The file of a repository's snapshot: a link to a blob.
  fs::path snapshot(const std::string& repository, const std::string& file, const std::string& commit = kCommit) const {
    const fs::path blob = write("hub/" + repository + "/blobs/" + file);
    const fs::path link = path("hub/" + repository + "/snapshots/" + commit) / file;
    fs::create_directories(link.parent_path());
    fs::create_symlink(blob, link);
    return link;
  }
  void manifest(const std::string& name, const std::string& layers) const {
    write("ollama/manifests/" + name, R"({"schemaVersion": 2, "config": {}, "layers": [)" + layers + "]}");
  }

 private:
  test::TemporaryFolder folder_;
  test::EnvironmentVariable home_{"HOME", folder_.path().string()};
  test::EnvironmentVariable hub_{"HF_HUB_CACHE", path("hub").string()};
  test::EnvironmentVariable old_hub_{"HUGGINGFACE_HUB_CACHE", std::nullopt};
  test::EnvironmentVariable hf_home_{"HF_HOME", std::nullopt};
  test::EnvironmentVariable xdg_{"XDG_CACHE_HOME", std::nullopt};
  test::EnvironmentVariable ollama_{"OLLAMA_MODELS", path("ollama").string()};
};

std::string layer(const std::string& kind, const std::string& digest = kDigest) {
  return R"({"mediaType": "application/vnd.ollama.image.)" + kind + R"(", "digest": ")" + digest + R"(", "size": 4})";
}

std::string refusal(const std::string& text, const fs::path& base = {}) {
  try {
    const fs::path path = resolve_model(text, base);
    return "it is " + path.string();
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::kFixInput);
    return error.what();
  }
}

}  // namespace

TEST_CASE("A path is relative to the folder that is given") {
  const Home home;
  const fs::path file = home.write("models/a.gguf"), folder = home.write("models/b/config.json").parent_path();
  CHECK(resolve_model("models/a.gguf", home.path(".")) == file);
  CHECK(resolve_model("../models/b", home.path("models")) == folder);
  CHECK(resolve_model(file.string(), "/elsewhere") == file);
}

TEST_CASE("A path that is not there gets the ways to name a model") {
  const Home home;
  CHECK_THAT(refusal("nowhere", home.path(".")),
             Contains(home.path("nowhere").string() + " is not there") && Contains(".gguf") && Contains("hf:ORG/NAME"));
}

TEST_CASE("A folder with one model in GGUF files stands for that model") {
  const Home home;
  const fs::path first = home.write("m/big-00001-of-00002.gguf");
  home.write("m/big-00002-of-00002.gguf");
  home.write("m/mmproj-big.gguf");
  CHECK(resolve_model("m", home.path(".")) == first);
}

TEST_CASE("A folder with safetensors is the model, whatever GGUF files are beside them") {
  const Home home;
  home.write("m/a.gguf");
  home.write("m/config.json");
  CHECK(resolve_model("m", home.path(".")) == home.path("m/a.gguf"));
  home.write("m/model.safetensors");
  CHECK(resolve_model("m", home.path(".")) == home.path("m"));
}

TEST_CASE("A folder with several models in GGUF files is refused with their names") {
  const Home home;
  home.write("m/a.gguf");
  home.write("m/b.gguf");
  CHECK_THAT(refusal("m", home.path(".")),
             Contains("2 models in GGUF files") && Contains("m/a.gguf, ") && Contains("m/b.gguf"));
}

TEST_CASE("A repository of the Hugging Face cache is found by the commit of its main branch") {
  const Home home;
  const fs::path file = home.snapshot("models--org--name", "config.json");
  home.write("hub/models--org--name/refs/main", kCommit);
  CHECK(resolve_model("hf:org/name") == file.parent_path());
}

TEST_CASE("A revision is a branch, a tag or a commit") {
  const Home home;
  const std::string other = "ffffffff77366fa6b3b4b768ec3050bf629380ba";
  home.snapshot("models--org--name", "config.json");
  const fs::path tagged = home.snapshot("models--org--name", "model.gguf", other);
  home.write("hub/models--org--name/refs/main", kCommit);
  home.write("hub/models--org--name/refs/refs/pr/1", other);
  CHECK(resolve_model("hf:org/name@refs/pr/1") == tagged);
  CHECK(resolve_model("hf:org/name@" + other) == tagged);
}

TEST_CASE("A repository that is not in the cache gets the command that fetches it") {
  const Home home;
  home.snapshot("models--org--name", "config.json");
  CHECK_THAT(refusal("hf:org/other"), Contains(home.path("hub").string() + "; fetch it: hf download org/other"));
  CHECK_THAT(refusal("hf:org/name@v2"), Contains("hf download org/name --revision v2"));
}

TEST_CASE("Of a repository with several GGUF files one is named behind a colon") {
  const Home home;
  home.write("hub/models--org--name/refs/main", kCommit);
  home.snapshot("models--org--name", "name-Q8_0.gguf");
  const fs::path small = home.snapshot("models--org--name", "name-Q4_0.gguf");
  CHECK_THAT(refusal("hf:org/name"), Contains("hf:org/name:name-Q4_0.gguf, hf:org/name:name-Q8_0.gguf"));
  CHECK(resolve_model("hf:org/name:name-Q4_0.gguf") == small);
  CHECK_THAT(refusal("hf:org/name:name-Q2_K.gguf"), Contains("hf download org/name name-Q2_K.gguf"));
}

TEST_CASE("The Hugging Face cache is where the environment says") {
  const Home home;
  const test::EnvironmentVariable hub("HF_HUB_CACHE", std::nullopt);
  CHECK_THAT(refusal("hf:a/b"), Contains(home.path(".cache/huggingface/hub").string()));
  const test::EnvironmentVariable cache("XDG_CACHE_HOME", "/xdg");
  CHECK_THAT(refusal("hf:a/b"), Contains("/xdg/huggingface/hub"));
  const test::EnvironmentVariable hf_home("HF_HOME", "~/hf");
  CHECK_THAT(refusal("hf:a/b"), Contains(home.path("hf/hub").string()));
}

TEST_CASE("A name does not lead out of a cache or a store") {
  const Home home;
  for (const char* text : {"hf:../x", "hf:", "hf:a/b/c", "hf:a/b@../../x", "hf:a/b:../c", "hf:/etc", "hf:a b"})
    CHECK_THAT(refusal(text), Contains("is no name of a Hugging Face repository"));
  for (const char* text : {"ollama:..", "ollama:", "ollama:a:../b", "ollama:a/../b", "ollama:/etc", "ollama:a/b/c/d"})
    CHECK_THAT(refusal(text), Contains("is no name of an Ollama model"));
  home.write("hub/models--a--b/refs/main", "../../..");
  CHECK_THAT(refusal("hf:a/b"), Contains("hf download a/b"));
}

TEST_CASE("A model of Ollama's store is the blob that its manifest names") {
  const Home home;
  const fs::path blob = home.write("ollama/blobs/sha256-" + kDigest.substr(7));
  const std::string layers = layer("template", "sha256:1") + ", " + layer("model") + ", " + layer("params", "sha256:2");
  for (const char* name : {"registry.ollama.ai/library/qwen3/latest", "registry.ollama.ai/library/qwen3/0.6b",
                           "registry.ollama.ai/me/mine/q4", "hf.co/org/name-GGUF/Q4_K_M"})
    home.manifest(name, layers);
  for (const char* text :
       {"ollama:qwen3", "ollama:qwen3:0.6b", "ollama:me/mine:q4", "ollama:hf.co/org/name-GGUF:Q4_K_M"})
    CHECK(resolve_model(text) == blob);
}

TEST_CASE("An Ollama model that is not there, or not whole, gets the command that fetches it") {
  const Home home;
  CHECK_THAT(refusal("ollama:qwen3"), Contains(home.path("ollama").string() + "; fetch it: ollama pull qwen3"));
  home.manifest("registry.ollama.ai/library/qwen3/latest", layer("model"));
  CHECK_THAT(refusal("ollama:qwen3"), Contains("blobs/sha256-") && Contains("ollama pull qwen3"));
}

TEST_CASE("An Ollama model with an adapter, in two files, or without a file is refused") {
  const Home home;
  const std::string name = "registry.ollama.ai/library/m/latest";
  home.manifest(name, layer("model") + ", " + layer("adapter"));
  CHECK_THAT(refusal("ollama:m"), Contains("has an adapter (LoRA)"));
  home.manifest(name, layer("model") + ", " + layer("model"));
  CHECK_THAT(refusal("ollama:m"), Contains("names two models"));
  home.manifest(name, layer("license"));
  CHECK_THAT(refusal("ollama:m"), Contains("names no model in a file"));
  home.manifest(name, layer("model", "sha256:../../../etc/passwd"));
  CHECK_THAT(refusal("ollama:m"), Contains("names no model in a file"));
  home.write("ollama/manifests/" + name, "{");
  CHECK_THAT(refusal("ollama:m"), Contains("library/m/latest:1:2:"));
}

TEST_CASE("Without OLLAMA_MODELS both of Ollama's stores are looked in") {
  const Home home;
  const test::EnvironmentVariable unset("OLLAMA_MODELS", std::nullopt);
  CHECK_THAT(refusal("ollama:no-such-model-of-ours"),
             Contains(home.path(".ollama/models").string() + " or /usr/share/ollama/.ollama/models"));
}
