// bench_envelope: what it costs to write and to read the envelope of a kv message, in microseconds on one core: the
// same one over and over, and with 8 MiB copied between two calls, so that code and data come from memory as they do at
// work.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <functional>
#include <vector>

#include "kvcodec/wire/envelope.hpp"

using namespace kvmesh;

namespace {

wire::Envelope an_envelope() {
  wire::Envelope envelope;
  envelope.mesh = "quickstart";
  envelope.from = "reader";
  envelope.to = "solver";
  envelope.request = "r17";
  envelope.sequence = 3;
  envelope.count = 32;
  envelope.manifest = "f5cbb19ce269519a";
  envelope.tensors = {{.name = "keys", .dtype = wire::Dtype::kBFloat16, .shape = {512, 8, 128}},
                      {.name = "values", .dtype = wire::Dtype::kBFloat16, .shape = {512, 8, 128}}};
  envelope.layer = 12;
  envelope.positions = {{.first = 1024, .count = 512}};
  envelope.context_end = 2000;
  envelope.layers_complete = 12;
  return envelope;
}

/// The least of the rounds, of a call's time in each: the median would measure the machine's other work too. `between`
/// is not counted.
double microseconds(int rounds, int calls, const std::function<void()>& call, const std::function<void()>& between) {
  double least = 1e9;
  for (int round = 0; round < rounds; ++round) {
    between();
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < calls; ++i) call();
    const std::chrono::duration<double, std::micro> time = std::chrono::steady_clock::now() - begin;
    least = std::min(least, time.count() / calls);
  }
  return least;
}

}  // namespace

int main() {
  const wire::Envelope envelope = an_envelope();
  const OwnedBytes bytes = wire::encode_envelope(envelope);
  std::vector<char> from(std::size_t{8} << 20, 'x'), to(from.size());
  std::size_t sink = 0;
  const auto encode = [&] { sink += wire::encode_envelope(envelope).size(); };
  const auto decode = [&] { sink += wire::decode_envelope(bytes).tensors.size(); };
  const auto copy = [&] { std::memcpy(to.data(), from.data(), from.size()), from[0] = to[sink % to.size()]; };
  std::printf("an envelope of %zu bytes\n", bytes.size());
  std::printf("| | encode | decode |\n| --- | --- | --- |\n");
  std::printf("| over and over | %.2f us | %.2f us |\n", microseconds(20'001, 100, encode, [] {}),
              microseconds(20'001, 100, decode, [] {}));
  std::printf("| 8 MiB copied between | %.2f us | %.2f us |\n", microseconds(1'001, 1, encode, copy),
              microseconds(1'001, 1, decode, copy));
  return 0;
}
