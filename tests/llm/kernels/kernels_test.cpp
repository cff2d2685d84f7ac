// Every instruction set that this processor runs, against the same formulas in double precision.

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "llm/kernels/kernel_sets.hpp"

using namespace kvmesh::llm;
using namespace kvmesh::llm::kernels;

namespace {

float value(float x) { return x; }
float value(Bf16 x) {
  const auto bits = static_cast<std::uint32_t>(x) << 16;
  float wide;
  std::memcpy(&wide, &bits, sizeof wide);
  return wide;
}

double value(Fp16 x) {
  const auto bits = static_cast<std::uint16_t>(x);
  const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
  double size = exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
  if (exponent == 31) size = mantissa == 0 ? INFINITY : NAN;
  return bits >> 15 ? -size : size;
}

/// The nearest half, the even one of two, found by bisection over all of them in their order.
Fp16 nearest_half(double x) {
  if (std::isnan(x)) return Fp16{0x7e00};
  const double size = std::abs(x);
  int low = 0, high = 0x7c00;  // 0 and infinity
  while (high - low > 1) (value(Fp16((low + high) / 2)) <= size ? low : high) = (low + high) / 2;
  // Where the next number would stand beyond the greatest, infinity begins.
  const double above = high == 0x7c00 ? 65536 : value(Fp16(high)), middle = (value(Fp16(low)) + above) / 2;
  const int half = size > middle || (size == middle && low % 2 == 1) ? high : low;
  return Fp16(half | (std::signbit(x) ? 0x8000 : 0));
}

template <class T>
T rounded_to(double x) {
  const auto wide = static_cast<float>(x);
  if constexpr (std::is_same_v<T, float>) {
    return wide;
  } else if constexpr (std::is_same_v<T, Fp16>) {
    return nearest_half(wide);
  } else {
    std::uint32_t bits;
    std::memcpy(&bits, &wide, sizeof bits);
    return static_cast<Bf16>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
  }
}

/// What a result rounded to T may be away from the exact one, relative to the size of what was summed.
template <class T>
constexpr double kTolerance = std::is_same_v<T, float>  ? 2e-5
                              : std::is_same_v<T, Fp16> ? 8e-4
                                                        : 5e-3;

class Random {
 public:
  template <class T>
  std::vector<T> numbers(std::int64_t count, double size = 1) {
    std::vector<T> numbers;
    for (std::int64_t i = 0; i < count; ++i) numbers.push_back(rounded_to<T>(size * normal_(generator_)));
    return numbers;
  }

 private:
  std::mt19937 generator_{7};
  std::normal_distribution<double> normal_;
};

/// Runs `body` once for each instruction set here; what fails is told with its name.
template <class Body>
void for_each_set(const Body& body) {
  for (const KernelSet* set : runnable_sets()) {
    INFO(kvmesh::to_string(set->instruction_set));
    body(*set);
  }
}

template <class T>
void check_few_rows(std::int64_t rows, std::int64_t width, std::int64_t outputs, bool with_bias) {
  Random random;
  const auto input = random.numbers<T>(rows * width), weight = random.numbers<T>(outputs * width);
  const auto bias = random.numbers<T>(outputs);
  for_each_set([&](const KernelSet& set) {
    std::vector<T> output(static_cast<std::size_t>(rows * outputs));
    const FewRows<T> task{input.data(), weight.data(), with_bias ? bias.data() : nullptr, output.data(), rows,
                          width,        outputs};
    set.of<T>().few_rows(task, {0, outputs / 3});
    set.of<T>().few_rows(task, {outputs / 3, outputs});
    double worst = 0;
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t n = 0; n < outputs; ++n) {
        double exact = with_bias ? value(bias[n]) : 0;
        for (std::int64_t k = 0; k < width; ++k)
          exact += static_cast<double>(value(input[r * width + k])) * value(weight[n * width + k]);
        worst = std::max(worst, std::abs(exact - value(output[r * outputs + n])) / std::sqrt(width));
      }
    }
    CHECK(worst < kTolerance<T> * 4);
  });
}

struct Heads {
  std::int64_t tokens, rows, heads, kv_heads, head_dim;
};

/// Attention as its definition reads, in double precision; also the sums over `ranges`.
template <class T>
std::vector<double> exact_attention(const Attention<T>& task, std::vector<double>& measured) {
  std::vector<double> out(static_cast<std::size_t>(task.tokens * task.heads * task.head_dim));
  measured.assign(static_cast<std::size_t>(task.range_count), 0.0);
  const std::int64_t d = task.head_dim, group = task.heads / task.kv_heads;
  for (std::int64_t i = 0; i < task.tokens; ++i) {
    for (std::int64_t h = 0; h < task.heads; ++h) {
      const Range seen = task.seen[i];
      const bool blind = seen.begin >= seen.end;
      std::vector<double> weights;
      double sum = 0;
      for (std::int64_t j = 0; j < task.rows; ++j) {
        double score = 0;
        for (std::int64_t k = 0; k < d; ++k)
          score += static_cast<double>(value(task.queries[(i * task.heads + h) * d + k])) *
                   value(task.keys[(j * task.kv_heads + h / group) * d + k]);
        score *= task.scale;
        if (task.soft_cap > 0) score = task.soft_cap * std::tanh(score / task.soft_cap);
        const bool visible = blind || (seen.begin <= j && j < seen.end);
        weights.push_back(visible ? (blind ? 1 : std::exp(score)) : 0);
        sum += weights.back();
      }
      for (std::int64_t j = 0; j < task.rows; ++j)
        for (std::int64_t k = 0; k < d; ++k)
          out[(i * task.heads + h) * d + k] +=
              weights[j] / sum * value(task.values[(j * task.kv_heads + h / group) * d + k]);
      for (std::int64_t r = 0; r < task.range_count; ++r)
        for (std::int64_t j = task.ranges[r].begin; j < task.ranges[r].end; ++j) measured[r] += weights[j] / sum;
    }
  }
  return out;
}

template <class T>
void check_attention(const Heads& shape, const std::vector<Range>& seen, float soft_cap = 0) {
  Random random;
  const auto queries = random.numbers<T>(shape.tokens * shape.heads * shape.head_dim, 2);
  const auto keys = random.numbers<T>(shape.rows * shape.kv_heads * shape.head_dim, 2);
  const auto values = random.numbers<T>(shape.rows * shape.kv_heads * shape.head_dim);
  const std::vector<Range> ranges = {{1, shape.rows / 2}, {shape.rows / 2, shape.rows}};
  for_each_set([&](const KernelSet& set) {
    std::vector<T> output(queries.size());
    Attention<T> task{.queries = queries.data(),
                      .keys = keys.data(),
                      .values = values.data(),
                      .output = output.data(),
                      .tokens = shape.tokens,
                      .rows = shape.rows,
                      .heads = shape.heads,
                      .kv_heads = shape.kv_heads,
                      .head_dim = shape.head_dim,
                      .scale = static_cast<float>(1 / std::sqrt(static_cast<double>(shape.head_dim))),
                      .soft_cap = soft_cap,
                      .seen = seen.data(),
                      .ranges = ranges.data(),
                      .range_count = 2};
    const std::int64_t items = attention_items(task);
    std::vector<double> measured(static_cast<std::size_t>(2 * items));
    task.measured = measured.data();
    struct alignas(64) Line {
      std::byte bytes[64];
    };
    std::vector<Line> scratch(static_cast<std::size_t>(attention_scratch(task) / 64 + 1));
    for (std::int64_t item = 0; item < items; ++item) set.of<T>().attend(task, item, scratch.data());

    std::vector<double> exact_measured;
    const std::vector<double> exact = exact_attention(task, exact_measured);
    double worst = 0;
    for (std::size_t i = 0; i < exact.size(); ++i) worst = std::max(worst, std::abs(exact[i] - value(output[i])));
    CHECK(worst < kTolerance<T> * 3);
    for (std::int64_t r = 0; r < 2; ++r) {
      double sum = 0;
      for (std::int64_t item = 0; item < items; ++item) sum += measured[2 * item + r];
      CHECK(sum == Approx(exact_measured[r]).epsilon(1e-4));
    }
  });
}

std::vector<Range> causal(const Heads& shape, std::int64_t window = 1 << 20) {
  std::vector<Range> seen;
  for (std::int64_t i = 0; i < shape.tokens; ++i) {
    const std::int64_t row = shape.rows - shape.tokens + i;
    seen.push_back({std::max<std::int64_t>(row - window + 1, 0), row + 1});
  }
  return seen;
}

}  // namespace

TEST_CASE("kernels: the product of a few rows is the sum of products, whatever the shape") {
  for (std::int64_t rows : {1, 2, 3, 5, 8, 11}) {
    check_few_rows<Bf16>(rows, 352, 37, false);
    check_few_rows<Fp16>(rows, 352, 37, true);
    check_few_rows<float>(rows, 352, 37, true);
  }
  check_few_rows<Bf16>(1, 1000, 130, true);  // a width that no vector divides
  check_few_rows<Fp16>(1, 1001, 130, false);
  check_few_rows<float>(2, 7, 3, false);
}

TEST_CASE("kernels: a row gets the same bits alone and among others") {
  Random random;
  const std::int64_t width = 200, outputs = 19;
  const auto input = random.numbers<Bf16>(8 * width), weight = random.numbers<Bf16>(outputs * width);
  for_each_set([&](const KernelSet& set) {
    std::vector<Bf16> together(8 * outputs), alone(outputs);
    set.bf16.few_rows({input.data(), weight.data(), nullptr, together.data(), 8, width, outputs}, {0, outputs});
    for (std::int64_t r = 0; r < 8; ++r) {
      set.bf16.few_rows({input.data() + r * width, weight.data(), nullptr, alone.data(), 1, width, outputs},
                        {0, outputs});
      CHECK(std::equal(alone.begin(), alone.end(), together.begin() + r * outputs));
    }
  });
}

TEST_CASE("kernels: RMSNorm with a rounded and with a wide weight") {
  Random random;
  const std::int64_t rows = 3, width = 100;
  const auto x = random.numbers<Bf16>(rows * width), weight = random.numbers<Bf16>(width);
  const auto wide = random.numbers<float>(width);
  for_each_set([&](const KernelSet& set) {
    std::vector<Bf16> out(x.size()), wide_out(x.size());
    set.bf16.rms_norm({x.data(), weight.data(), nullptr, out.data(), width, 1e-5f}, {0, rows});
    set.bf16.rms_norm({x.data(), nullptr, wide.data(), wide_out.data(), width, 1e-5f}, {0, rows});
    for (std::int64_t r = 0; r < rows; ++r) {
      double squares = 0;
      for (std::int64_t i = 0; i < width; ++i) squares += std::pow(value(x[r * width + i]), 2);
      const double scale = 1 / std::sqrt(squares / width + 1e-5);
      for (std::int64_t i = 0; i < width; ++i) {
        const double normal = value(x[r * width + i]) * scale;
        CHECK(value(out[r * width + i]) ==
              Approx(value(rounded_to<Bf16>(normal)) * value(weight[i])).epsilon(8e-3).margin(1e-6));
        CHECK(value(wide_out[r * width + i]) == Approx(normal * wide[i]).epsilon(4e-3).margin(1e-6));
      }
    }
  });
}

TEST_CASE("kernels: rotation turns each pair by its angle, after the heads' norm, and puts everything in its place") {
  Random random;
  const std::int64_t tokens = 2, heads = 3, kv_heads = 1, d = 12;
  const auto qkv = random.numbers<float>(tokens * (heads + 2 * kv_heads) * d);
  const auto norm = random.numbers<float>((heads + kv_heads) * d);
  const auto angles = random.numbers<float>(tokens * d / 2, 3);
  std::vector<float> cos, sin;
  for (float angle : angles) {
    cos.push_back(std::cos(angle));
    sin.push_back(std::sin(angle));
  }
  for_each_set([&](const KernelSet& set) {
    std::vector<float> queries(tokens * heads * d), keys(tokens * kv_heads * d), values(keys.size());
    set.fp32.rotate({.qkv = qkv.data(),
                     .cos = cos.data(),
                     .sin = sin.data(),
                     .head_norm = norm.data(),
                     .queries = queries.data(),
                     .keys = keys.data(),
                     .values = values.data(),
                     .heads = heads,
                     .kv_heads = kv_heads,
                     .head_dim = d,
                     .epsilon = 1e-6f},
                    {0, tokens});
    for (std::int64_t t = 0; t < tokens; ++t) {
      const float* token = qkv.data() + t * (heads + 2 * kv_heads) * d;
      for (std::int64_t h = 0; h < heads + kv_heads; ++h) {
        double squares = 0;
        for (std::int64_t i = 0; i < d; ++i) squares += std::pow(token[h * d + i], 2);
        auto normal = [&](std::int64_t i) {
          return token[h * d + i] / std::sqrt(squares / d + 1e-6) * norm[h * d + i];
        };
        const float* got = h < heads ? queries.data() + (t * heads + h) * d : keys.data() + t * kv_heads * d;
        for (std::int64_t i = 0; i < d / 2; ++i) {
          const double angle = angles[t * d / 2 + i], a = normal(i), b = normal(i + d / 2);
          CHECK(got[i] == Approx(a * std::cos(angle) - b * std::sin(angle)).margin(1e-5));
          CHECK(got[i + d / 2] == Approx(b * std::cos(angle) + a * std::sin(angle)).margin(1e-5));
        }
      }
      for (std::int64_t i = 0; i < d; ++i) CHECK(values[t * d + i] == token[(heads + kv_heads) * d + i]);
    }
  });
}

TEST_CASE("kernels: gating by SiLU and by GELU, far out too") {
  Random random;
  const std::int64_t width = 50;
  auto gate_up = random.numbers<float>(2 * width, 4);
  gate_up[0] = -200;
  gate_up[1] = 200;
  for_each_set([&](const KernelSet& set) {
    std::vector<float> silu(width), gelu(width);
    set.fp32.gate({gate_up.data(), silu.data(), width, Activation::kSilu}, {0, 1});
    set.fp32.gate({gate_up.data(), gelu.data(), width, Activation::kGeluTanh}, {0, 1});
    for (std::int64_t i = 0; i < width; ++i) {
      const double x = gate_up[i], up = gate_up[width + i];
      CHECK(silu[i] == Approx(x / (1 + std::exp(-x)) * up).margin(1e-5));
      const double inner = std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x);
      CHECK(gelu[i] == Approx(0.5 * x * (1 + std::tanh(inner)) * up).margin(1e-5));
    }
  });
}

TEST_CASE("kernels: causal attention over several blocks of queries and keys, grouped heads") {
  const Heads shape{.tokens = 70, .rows = 150, .heads = 8, .kv_heads = 2, .head_dim = 64};
  check_attention<Bf16>(shape, causal(shape));
  check_attention<Fp16>(shape, causal(shape));
  check_attention<float>(shape, causal(shape));
}

TEST_CASE("kernels: attention with one head a key, a head_dim that no vector divides, and one query") {
  const Heads odd{.tokens = 33, .rows = 65, .heads = 3, .kv_heads = 3, .head_dim = 20};
  check_attention<Bf16>(odd, causal(odd));
  check_attention<Fp16>(odd, causal(odd));
  check_attention<float>(odd, causal(odd));
  const Heads one{.tokens = 1, .rows = 200, .heads = 4, .kv_heads = 1, .head_dim = 128};
  check_attention<Bf16>(one, causal(one));
  check_attention<Fp16>(one, causal(one));
  check_attention<float>(one, causal(one));
}

TEST_CASE("kernels: attention through a window, with capped scores") {
  const Heads shape{.tokens = 130, .rows = 300, .heads = 2, .kv_heads = 1, .head_dim = 32};
  check_attention<Bf16>(shape, causal(shape, 17), 5);
  check_attention<Fp16>(shape, causal(shape, 17), 5);
  check_attention<float>(shape, causal(shape, 100), 5);
}

TEST_CASE("kernels: a query that sees nothing averages all rows alike") {
  const Heads shape{.tokens = 3, .rows = 90, .heads = 2, .kv_heads = 2, .head_dim = 16};
  check_attention<Bf16>(shape, {{0, 90}, {0, 0}, {80, 85}});
  check_attention<Fp16>(shape, {{0, 90}, {0, 0}, {80, 85}});
  check_attention<float>(shape, {{0, 90}, {0, 0}, {80, 85}});
}

TEST_CASE("kernels: a NaN among the keys reaches every query that sees it") {
  const std::int64_t d = 16, rows = 70;
  std::vector<float> ones(static_cast<std::size_t>(rows * d), 1.0f), keys = ones, output(d);
  keys[66 * d] = NAN;
  const Range seen{0, rows};
  for_each_set([&](const KernelSet& set) {
    const Attention<float> task{.queries = ones.data(),
                                .keys = keys.data(),
                                .values = ones.data(),
                                .output = output.data(),
                                .tokens = 1,
                                .rows = rows,
                                .heads = 1,
                                .kv_heads = 1,
                                .head_dim = d,
                                .seen = &seen};
    struct alignas(64) Line {
      std::byte bytes[64];
    };
    std::vector<Line> scratch(static_cast<std::size_t>(attention_scratch(task) / 64 + 1));
    set.fp32.attend(task, 0, scratch.data());
    CHECK(std::isnan(output[0]));
  });
}

TEST_CASE("kernels: every fp16 number widens to what it stands for, and fp32 numbers round to the nearest of them") {
  std::vector<Fp16> halves;
  for (int bits = 0; bits < 65536; ++bits) halves.push_back(Fp16(bits));
  std::vector<float> numbers;
  for (const Fp16 half : halves) {
    const auto size = static_cast<float>(value(half));
    // The number itself, its neighbours in fp32, and the middle to the next one with its neighbours.
    const auto next = static_cast<float>(value(Fp16((static_cast<int>(half) + 1) & 0xffff)));
    for (const float x : {size, size / 2 + next / 2})
      for (const float y : {std::nextafter(x, -INFINITY), x, std::nextafter(x, INFINITY)}) numbers.push_back(y);
  }
  for (const float x : {65519.99f, 65520.f, 1e5f, 3e38f, -1e-8f, 1e-40f, 0.f, -0.f}) numbers.push_back(x);
  const auto count = static_cast<std::int64_t>(numbers.size());
  for_each_set([&](const KernelSet& set) {
    std::vector<float> wide(halves.size());
    set.fp16.widen({halves.data(), wide.data(), 0}, {0, 65536});
    int wrong = 0;
    for (std::size_t i = 0; i < halves.size(); ++i)
      wrong += !(wide[i] == value(halves[i]) || (std::isnan(wide[i]) && std::isnan(value(halves[i]))));
    CHECK(wrong == 0);
    std::vector<Fp16> rounded(numbers.size());
    set.fp16.narrow({numbers.data(), nullptr, rounded.data(), count, count}, {0, 1});
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      const bool nan = std::isnan(numbers[i]) && std::isnan(value(rounded[i]));
      wrong += !(nan || rounded[i] == nearest_half(numbers[i]));
    }
    CHECK(wrong == 0);
  });
}

TEST_CASE("kernels: columns of a product go to their place among wider rows, with their bias, rounded once") {
  Random random;
  const std::int64_t rows = 3, width = 21, output_width = 50;
  const auto product = random.numbers<float>(rows * width);
  const auto bias = random.numbers<Bf16>(width);
  for_each_set([&](const KernelSet& set) {
    std::vector<Bf16> out(static_cast<std::size_t>(rows * output_width), Bf16{7});
    set.bf16.narrow({product.data(), bias.data(), out.data() + 4, width, output_width}, {0, rows});
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t i = 0; i < output_width; ++i) {
        const std::int64_t column = i - 4;
        const Bf16 got = out[static_cast<std::size_t>(r * output_width + i)];
        if (column < 0 || column >= width) CHECK(got == Bf16{7});
        else CHECK(got == rounded_to<Bf16>(product[r * width + column] + value(bias[column])));
      }
    }
  });
}
