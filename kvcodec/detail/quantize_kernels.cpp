// The loops of kvcodec/quantize.hpp, compiled once for each instruction set. Without contraction to fused multiply-adds
// every instruction set gives the same bits.

#include "kvcodec/detail/quantize_kernels.hpp"

#include <algorithm>

#include "kvcodec/detail/half.hpp"
#include "kvcodec/detail/quantize_lanes.hpp"

KVMESH_BEGIN_KERNELS
namespace kvmesh::kvcodec::KVMESH_KERNELS {

/// Calls step(lanes, i) for i from 0 to count - 1: as many at a time as a vector has lanes, the rest one by one.
template <int N = kLanes, typename Step>
KVMESH_INLINE void in_lanes(std::int64_t count, Step step) {
  std::int64_t i = 0;
  for (; i + N <= count; i += N) step(std::integral_constant<int, N>(), i);
  for (; N > 1 && i < count; ++i) step(std::integral_constant<int, 1>(), i);
}

/// What scales and zeros are made from: a group's numbers lie between low and high.
template <int N>
struct Grid {
  Lanes<std::uint32_t, N> scale16, zero16;  ///< fp16 bits, as they travel
  Lanes<float, N> zero, inverse;            ///< as they compute

  KVMESH_INLINE Grid(Lanes<float, N> low, Lanes<float, N> high, float levels) {
    const auto size = low < 0.0F ? -low : low;
    zero16 = low < 0.0F ? raise_to_half<N>(size) | 0x8000U : cut_to_half<N>(size);
    zero = float_of_half<N>(zero16);
    scale16 = raise_to_half<N>((high - zero) / levels);
    const auto scale = float_of_half<N>(scale16);
    inverse = scale > 0.0F ? 1.0F / scale : Lanes<float, N>{};
  }
};

/// Grids of `count` groups from their least and greatest numbers. False where a number is none or beyond fp16.
template <int Bits, typename Element>
KVMESH_INLINE bool make_grids(const Order<Element>* low, const Order<Element>* high, std::int64_t count,
                              std::uint16_t* scales, std::uint16_t* zeros, float* zero, float* inverse) {
  bool fit = true;
  in_lanes(count, [&](auto lanes, std::int64_t i) {
    constexpr int N = decltype(lanes)::value;
    const auto least = number<N, Element>(low + i), greatest = number<N, Element>(high + i);
    // Comparisons that NaN fails.
    fit = fit && all<N>(least >= -detail::kHalfMax) && all<N>(greatest <= detail::kHalfMax);
    const Grid<N> grid(least, greatest, (1 << Bits) - 1);
    write(narrow<std::uint16_t, N>(grid.scale16), scales + i);
    write(narrow<std::uint16_t, N>(grid.zero16), zeros + i);
    write(grid.zero, zero + i);
    write(grid.inverse, inverse + i);
  });
  return fit;
}

/// Codes of one row of one head.
template <int Bits, typename Element>
KVMESH_INLINE void write_codes(const Element* row, const float* zero, const float* inverse, std::int64_t dim,
                               std::uint8_t* codes) {
  constexpr std::int32_t kLevels = (1 << Bits) - 1;
  const std::int64_t half = dim / 2;
  in_lanes(Bits == 8 ? dim : half, [&](auto lanes, std::int64_t i) {
    constexpr int N = decltype(lanes)::value;
    const auto code_of = [&](std::int64_t channel) __attribute__((always_inline)) {
      const auto x = (load<N>(row + channel) - read<Lanes<float, N>>(zero + channel));
      const auto code = convert<Lanes<std::int32_t, N>>(x * read<Lanes<float, N>>(inverse + channel) + 0.5F);
      return code < kLevels ? code : Lanes<std::int32_t, N>{} + kLevels;
    };
    auto code = code_of(i);
    if constexpr (Bits == 4) code |= code_of(half + i) << 4;
    write(narrow<std::uint8_t, N>(code), codes + i);
  });
}

template <int Bits, typename Element>
KVMESH_INLINE void read_codes(const std::uint8_t* codes, const float* zero, const float* scale, std::int64_t dim,
                              Element* row) {
  const std::int64_t half = dim / 2;
  in_lanes(Bits == 8 ? dim : half, [&](auto lanes, std::int64_t i) {
    constexpr int N = decltype(lanes)::value;
    const auto put = [&](Lanes<std::int32_t, N> code, std::int64_t channel) __attribute__((always_inline)) {
      const auto x = convert<Lanes<float, N>>(code) * read<Lanes<float, N>>(scale + channel);
      store<N>(x + read<Lanes<float, N>>(zero + channel), row + channel);
    };
    const auto code = std::bit_cast<Lanes<std::int32_t, N>>(widen<N>(read<Lanes<std::uint8_t, N>>(codes + i)));
    put(Bits == 8 ? code : code & 15, i);
    if constexpr (Bits == 4) put(code >> 4, half + i);
  });
}

/// Least and greatest of each of `channels` neighbouring channels in `rows` rows that lie `width` apart. Few rows at a
/// time, so that memory is read nearly in its order.
template <typename Element>
KVMESH_INLINE void channel_ranges(const Element* x, std::int64_t rows, std::int64_t width, std::int64_t channels,
                                  Order<Element>* low, Order<Element>* high) {
  constexpr std::int64_t kRowsAtOnce = 8;
  for (std::int64_t first = 0; first < rows; first += kRowsAtOnce) {
    const std::int64_t last = std::min(first + kRowsAtOnce, rows);
    in_lanes<kOrderLanes<Element>>(channels, [&](auto lanes, std::int64_t i) {
      constexpr int N = decltype(lanes)::value;
      using Vector = Lanes<Order<Element>, N>;
      auto least = first == 0 ? order_of<N>(x + i) : read<Vector>(low + i);
      auto greatest = first == 0 ? least : read<Vector>(high + i);
      for (std::int64_t row = first; row < last; ++row) {
        const auto one = order_of<N>(x + row * width + i);
        least = one < least ? one : least;
        greatest = greatest < one ? one : greatest;
      }
      write(least, low + i);
      write(greatest, high + i);
    });
  }
}

/// Heads of keys that are taken together: whole rows where they fit, which memory likes better than one head's pieces.
inline std::int64_t heads_at_once(const QuantShape& shape) { return kMaxQuantHeadDim / shape.head_dim; }

template <int Bits, typename Element>
bool keys_in(const Element* keys, const QuantShape& shape, const QuantView& to) {
  const std::int64_t dim = shape.head_dim, width = shape.heads * dim, heads = heads_at_once(shape);
  Order<Element> low[kMaxQuantHeadDim], high[kMaxQuantHeadDim];
  float zero[kMaxQuantHeadDim], inverse[kMaxQuantHeadDim];
  for (std::int64_t first = 0, group = 0; first < shape.rows; first += kQuantGroup, ++group) {
    const std::int64_t last = std::min(first + kQuantGroup, shape.rows);
    for (std::int64_t head = 0; head < shape.heads; head += heads) {
      const std::int64_t count = std::min(heads, shape.heads - head), at = group * width + head * dim;
      channel_ranges(keys + first * width + head * dim, last - first, width, count * dim, low, high);
      if (!make_grids<Bits, Element>(low, high, count * dim, to.scales + at, to.zeros + at, zero, inverse))
        return false;
      for (std::int64_t row = first; row < last; ++row)
        for (std::int64_t i = 0; i < count; ++i)
          write_codes<Bits>(keys + row * width + (head + i) * dim, zero + i * dim, inverse + i * dim, dim,
                            to.codes + row * shape.row_codes() + (head + i) * dim * Bits / 8);
    }
  }
  return true;
}

/// Least and greatest of neighbours.
template <typename Element>
KVMESH_INLINE void range_of(const Element* x, std::int64_t count, Order<Element>& least, Order<Element>& greatest) {
  constexpr int N = kOrderLanes<Element>;
  least = greatest = order_of<1>(x);
  std::int64_t i = 0;
  if (count >= N) {
    auto low = order_of<N>(x), high = low;
    for (i = N; i + N <= count; i += N) {
      const auto more = order_of<N>(x + i);
      low = more < low ? more : low;
      high = high < more ? more : high;
    }
    least = fold<N>(low, [](auto a, auto b) { return b < a ? b : a; });
    greatest = fold<N>(high, [](auto a, auto b) { return a < b ? b : a; });
  }
  for (; i < count; ++i) {
    const auto one = order_of<1>(x + i);
    least = std::min(least, one);
    greatest = std::max(greatest, one);
  }
}

/// Heads of values whose grids are made at once, so that their groups fill vectors.
constexpr std::int64_t kHeadsAtOnce = 16;
constexpr std::int64_t kMostGroups = kHeadsAtOnce * (kMaxQuantHeadDim / kQuantGroup);

template <int Bits, typename Element>
bool values_in(const Element* values, const QuantShape& shape, const QuantView& to) {
  const std::int64_t dim = shape.head_dim, groups = shape.channel_groups(), heads = shape.rows * shape.heads;
  Order<Element> low[kMostGroups], high[kMostGroups];
  float group_zero[kMostGroups], group_inverse[kMostGroups], zero[kMaxQuantHeadDim], inverse[kMaxQuantHeadDim];
  for (std::int64_t first = 0; first < heads; first += kHeadsAtOnce) {
    const std::int64_t count = std::min(kHeadsAtOnce, heads - first);
    const auto each_group = [&](std::int64_t head, auto step) {
      for (std::int64_t group = 0; group < groups; ++group)
        step(head * groups + group, group * kQuantGroup, std::min((group + 1) * kQuantGroup, dim));
    };
    for (std::int64_t head = 0; head < count; ++head)
      each_group(head, [&](std::int64_t group, std::int64_t begin, std::int64_t end) {
        range_of(values + (first + head) * dim + begin, end - begin, low[group], high[group]);
      });
    const std::int64_t at = first * groups;
    if (!make_grids<Bits, Element>(low, high, count * groups, to.scales + at, to.zeros + at, group_zero, group_inverse))
      return false;
    for (std::int64_t head = 0; head < count; ++head) {
      each_group(head, [&](std::int64_t group, std::int64_t begin, std::int64_t end) {
        std::fill(zero + begin, zero + end, group_zero[group]);
        std::fill(inverse + begin, inverse + end, group_inverse[group]);
      });
      write_codes<Bits>(values + (first + head) * dim, zero, inverse, dim, to.codes + (first + head) * dim * Bits / 8);
    }
  }
  return true;
}

KVMESH_INLINE void floats_of_halves(const std::uint16_t* halves, std::int64_t count, float* floats) {
  in_lanes(count, [&](auto lanes, std::int64_t i) {
    constexpr int N = decltype(lanes)::value;
    const auto bits = widen<N>(read<Lanes<std::uint16_t, N>>(halves + i));
    write(float_of_half<N>(bits), floats + i);
  });
}

template <int Bits, typename Element>
void keys_out(const QuantView& from, const QuantShape& shape, Element* keys) {
  const std::int64_t dim = shape.head_dim, width = shape.heads * dim, heads = heads_at_once(shape);
  float zero[kMaxQuantHeadDim], scale[kMaxQuantHeadDim];
  for (std::int64_t first = 0, group = 0; first < shape.rows; first += kQuantGroup, ++group) {
    const std::int64_t last = std::min(first + kQuantGroup, shape.rows);
    for (std::int64_t head = 0; head < shape.heads; head += heads) {
      const std::int64_t at = group * width + head * dim, count = std::min(heads, shape.heads - head);
      floats_of_halves(from.scales + at, count * dim, scale);
      floats_of_halves(from.zeros + at, count * dim, zero);
      for (std::int64_t row = first; row < last; ++row)
        for (std::int64_t i = 0; i < count; ++i)
          read_codes<Bits>(from.codes + row * shape.row_codes() + (head + i) * dim * Bits / 8, zero + i * dim,
                           scale + i * dim, dim, keys + row * width + (head + i) * dim);
    }
  }
}

template <int Bits, typename Element>
void values_out(const QuantView& from, const QuantShape& shape, Element* values) {
  const std::int64_t dim = shape.head_dim, groups = shape.channel_groups();
  float zero[kMaxQuantHeadDim], scale[kMaxQuantHeadDim];
  for (std::int64_t head = 0; head < shape.rows * shape.heads; ++head) {
    for (std::int64_t group = 0; group < groups; ++group) {
      const std::int64_t begin = group * kQuantGroup, end = std::min(begin + kQuantGroup, dim);
      std::fill(scale + begin, scale + end, detail::float_of_half(from.scales[head * groups + group]));
      std::fill(zero + begin, zero + end, detail::float_of_half(from.zeros[head * groups + group]));
    }
    read_codes<Bits>(from.codes + head * dim * Bits / 8, zero, scale, dim, values + head * dim);
  }
}

template <typename Element>
bool keys_from(const Element* keys, QuantShape shape, QuantView to) {
  return shape.bits == 8 ? keys_in<8>(keys, shape, to) : keys_in<4>(keys, shape, to);
}
template <typename Element>
bool values_from(const Element* values, QuantShape shape, QuantView to) {
  return shape.bits == 8 ? values_in<8>(values, shape, to) : values_in<4>(values, shape, to);
}
template <typename Element>
void keys_to(QuantView from, QuantShape shape, Element* keys) {
  shape.bits == 8 ? keys_out<8>(from, shape, keys) : keys_out<4>(from, shape, keys);
}
template <typename Element>
void values_to(QuantView from, QuantShape shape, Element* values) {
  shape.bits == 8 ? values_out<8>(from, shape, values) : values_out<4>(from, shape, values);
}

constexpr QuantKernels kKernels{InstructionSet::KVMESH_INSTRUCTION_SET,
                                keys_from<std::uint16_t>,
                                keys_from<float>,
                                values_from<std::uint16_t>,
                                values_from<float>,
                                keys_to<std::uint16_t>,
                                keys_to<float>,
                                values_to<std::uint16_t>,
                                values_to<float>};

}  // namespace kvmesh::kvcodec::KVMESH_KERNELS
KVMESH_END_KERNELS
