#include "llm/decode/decoder.hpp"

#include "tests/support/allocation_count.hpp"
#include "tests/support/golden.hpp"

using namespace kvmesh;
using namespace kvmesh::llm;
using namespace kvmesh::test;

namespace {

constexpr std::int64_t kRoom = 128;

std::vector<std::int64_t> prompt(std::int64_t length, std::int64_t seed) {
  std::vector<std::int64_t> ids;
  for (std::int64_t i = 0; i < length; ++i) ids.push_back((i * 37 + seed * 101 + 11) % 1000);
  return ids;
}

std::int64_t best(const at::Tensor& logits) {
  const float* first = logits.data_ptr<float>();
  return std::max_element(first, first + logits.numel()) - first;
}

/// A sequence that has read its prompt and knows its first own token.
struct Sequence {
  KvCache cache;
  std::int64_t first;

  Sequence(const Model& model, const std::vector<std::int64_t>& ids) : cache(model.make_cache(kRoom)) {
    first = best(model.forward({.embeddings = model.embed(ids)}, cache).logits);
  }
};

/// Greedy tokens as one forward() each gives them.
std::vector<std::int64_t> alone(const Model& model, const std::vector<std::int64_t>& ids, std::size_t count) {
  Sequence sequence(model, ids);
  std::vector<std::int64_t> tokens{sequence.first};
  while (tokens.size() < count) {
    const auto embedded = model.embed({&tokens.back(), 1});
    tokens.push_back(best(model.forward({.embeddings = embedded, .phase = Phase::kDecode}, sequence.cache).logits));
  }
  return tokens;
}

/// A greedy request that writes what it says into `tokens` and ends with `count` of them.
BatchDecoder::Request greedy(Sequence& sequence, std::vector<std::int64_t>& tokens, std::size_t count) {
  tokens = {sequence.first};
  return {&sequence.cache, sequence.first, [&tokens, count](const at::Tensor& logits) -> std::optional<std::int64_t> {
            tokens.push_back(best(logits));
            if (tokens.size() == count) return std::nullopt;
            return tokens.back();
          }};
}

}  // namespace

TEST_CASE("sequences decoded together get the very logits that each gets alone") {
  for (const char* dtype : {"fp32", "bf16"}) {
    const Model model = Model::load(tiny_model(), {.dtype = dtype});
    std::vector<Sequence> together, apart;
    std::vector<NextToken> next;
    for (std::int64_t s = 0; s < 5; ++s) {
      together.emplace_back(model, prompt(3 + 20 * s, s));
      apart.emplace_back(model, prompt(3 + 20 * s, s));
    }
    for (Sequence& sequence : together) next.push_back({&sequence.cache, sequence.first});
    Decoder batch(model), single(model);
    const at::Tensor logits = batch.step(next);
    for (std::size_t s = 0; s < apart.size(); ++s)
      CHECK(at::equal(logits.narrow(0, static_cast<std::int64_t>(s), 1), single.step(apart[s].cache, apart[s].first)));
  }
}

TEST_CASE("more sequences than the kernel takes at once agree too, to rounding") {
  const Model model = Model::load(tiny_model(), {.dtype = "fp32"});
  std::vector<Sequence> together, apart;
  std::vector<NextToken> next;
  for (std::int64_t s = 0; s < 11; ++s) {
    together.emplace_back(model, prompt(4, s));
    apart.emplace_back(model, prompt(4, s));
  }
  for (Sequence& sequence : together) next.push_back({&sequence.cache, sequence.first});
  Decoder batch(model), single(model);
  const at::Tensor logits = batch.step(next);
  for (std::size_t s = 0; s < apart.size(); ++s)
    CHECK(distance(logits.narrow(0, static_cast<std::int64_t>(s), 1), single.step(apart[s].cache, apart[s].first)) <
          1e-4);
}

TEST_CASE("requests join and leave a batch between steps, and each says what it would say alone") {
  const Model model = Model::load(tiny_model(), {.dtype = "fp32"});
  Sequence a(model, prompt(10, 1)), b(model, prompt(30, 2)), c(model, prompt(5, 3));
  std::vector<std::int64_t> said_a, said_b, said_c;
  BatchDecoder batch(model);
  batch.add(greedy(a, said_a, 12));
  batch.add(greedy(b, said_b, 4));
  CHECK(batch.step() == 2);
  batch.add(greedy(c, said_c, 6));
  CHECK(batch.step() == 3);
  while (batch.size() > 0) batch.step();
  CHECK(batch.step() == 0);
  CHECK(said_a == alone(model, prompt(10, 1), 12));
  CHECK(said_b == alone(model, prompt(30, 2), 4));
  CHECK(said_c == alone(model, prompt(5, 3), 6));
}

TEST_CASE("a token outside the table is refused before anything is added") {
  const Model model = Model::load(tiny_model(), {.dtype = "fp32"});
  Sequence sequence(model, prompt(4, 1));
  Decoder decoder(model);
  CHECK_THROWS_WITH(decoder.step(sequence.cache, 5000), Catch::Contains("5000"));
  CHECK(sequence.cache.layer(0).length() == 4);
}

TEST_CASE("a decoding step after the first allocates nothing, alone and with eight sequences") {
  for (const char* dtype : {"fp32", "bf16"}) {
    const Model model = Model::load(tiny_model(), {.dtype = dtype});
    for (std::size_t count : {1, 8}) {
      std::vector<Sequence> sequences;
      std::vector<NextToken> next;
      for (std::size_t s = 0; s < count; ++s) sequences.emplace_back(model, prompt(20, static_cast<std::int64_t>(s)));
      for (Sequence& sequence : sequences) next.push_back({&sequence.cache, sequence.first});
      Decoder decoder(model);
      decoder.step(next);
      const AllocationCount allocated;
      for (int step = 0; step < 40; ++step) decoder.step(next);
      const std::int64_t news = allocated.operator_new(), tensors = allocated.tensors();
      CHECK(news == 0);
      CHECK(tensors == 0);
    }
  }
}

TEST_CASE("the length that dynamic RoPE scaling was made for costs a decoding step no allocation") {
  ModelConfig config = read_config(tiny_model());
  config.ropes.front().scaling = RopeScaling::kDynamic;
  config.ropes.front().factor = 4;
  config.ropes.front().original_length = 100;
  const Model model = Model::of(config, Model::load(tiny_model(), {.dtype = "fp32"}).weights());
  Sequence sequence(model, prompt(20, 1));
  const NextToken next{&sequence.cache, sequence.first};
  Decoder decoder(model);
  decoder.step({&next, 1});
  const AllocationCount allocated;
  for (int step = 0; step < 40; ++step) decoder.step({&next, 1});
  const std::int64_t news = allocated.operator_new(), tensors = allocated.tensors();
  CHECK(news == 0);
  CHECK(tensors == 0);
}

TEST_CASE("the allocation count sees a tensor and a string") {
  const AllocationCount allocated;
  const at::Tensor tensor = at::empty({100});
  const std::string text(100, 'x');
  CHECK(allocated.tensors() == 1);
  CHECK(allocated.operator_new() >= 2);
}
