#include "llm/kernels/ops.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstddef>
#include <new>

#include "llm/kernels/launch.hpp"

namespace kvmesh::llm::kernels {

void* scratch(std::int64_t bytes) {
  struct Memory {
    ~Memory() { ::operator delete (data, std::align_val_t{64}); }
    void* data = nullptr;
    std::int64_t size = 0;
  };
  thread_local Memory memory;
  if (bytes > memory.size) {
    ::operator delete (memory.data, std::align_val_t{64});
    memory.data = nullptr;
    memory.data = ::operator new (static_cast<std::size_t>(bytes), std::align_val_t{64});
    memory.size = bytes;
  }
  return memory.data;
}

namespace {

bool is_wide(const at::Tensor& weight, const at::Tensor& x) {
  return weight.defined() && weight.scalar_type() == at::kFloat && x.scalar_type() != at::kFloat;
}

/// RmsNorm over the last dimension out of ATen's operators.
at::Tensor normalised(const at::Tensor& input, const at::Tensor& weight, double epsilon) {
  const at::Tensor x = input.to(at::kFloat);
  const at::Tensor normal = x * x.square().mean(-1, /*keepdim=*/true).add_(epsilon).rsqrt_();
  return is_wide(weight, input) ? normal * weight : normal.to(input.scalar_type()) * weight;
}

}  // namespace

bool ours(const at::Tensor& x) {
  return x.is_cpu() &&
         (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16 || x.scalar_type() == at::kHalf);
}

void rms_norm(at::Tensor& out, const at::Tensor& input, const at::Tensor& weight, double epsilon) {
  const std::int64_t rows = input.size(0), width = input.size(1);
  TORCH_INTERNAL_ASSERT(out.sizes() == input.sizes() && weight.numel() == width);
  if (!ours(input)) {
    out.copy_(normalised(input, weight, epsilon));
    return;
  }
  const bool wide = is_wide(weight, input);
  with_element_of(input, [&]<class T>(T*) {
    const RmsNorm<T> task{.input = data<T>(input),
                          .weight = wide ? nullptr : data<T>(weight),
                          .wide_weight = wide ? data<float>(weight) : nullptr,
                          .output = data<T>(out),
                          .width = width,
                          .epsilon = static_cast<float>(epsilon)};
    share(best_set().of<T>().rms_norm, task, rows, 3 * width * static_cast<std::int64_t>(sizeof(T)));
  });
}

void gate(at::Tensor& out, const at::Tensor& gate_up, Activation activation) {
  const std::int64_t rows = out.size(0), width = out.size(1);
  TORCH_INTERNAL_ASSERT(gate_up.size(0) == rows && gate_up.size(1) == 2 * width);
  if (!ours(out)) {
    const at::Tensor gates = gate_up.narrow(1, 0, width), ups = gate_up.narrow(1, width, width);
    switch (activation) {
      case Activation::kSilu: at::mul_out(out, at::silu(gates), ups); break;
      case Activation::kGeluTanh: at::mul_out(out, at::gelu(gates, "tanh"), ups); break;
    }
    return;
  }
  with_element_of(out, [&]<class T>(T*) {
    const Gate<T> task{.gate_up = data<T>(gate_up), .output = data<T>(out), .width = width, .activation = activation};
    share(best_set().of<T>().gate, task, rows, 6 * width * static_cast<std::int64_t>(sizeof(T)));
  });
}

void add(at::Tensor& sum, const at::Tensor& addend) {
  TORCH_INTERNAL_ASSERT(sum.sizes() == addend.sizes());
  if (!ours(sum)) {
    sum.add_(addend);
    return;
  }
  with_element_of(sum, [&]<class T>(T*) {
    const Add<T> task{.sum = data<T>(sum), .addend = data<T>(addend)};
    share(best_set().of<T>().add, task, sum.numel(), 3 * static_cast<std::int64_t>(sizeof(T)), /*step=*/32);
  });
}

void widen(at::Tensor& out, const at::Tensor& x, double soft_cap) {
  TORCH_INTERNAL_ASSERT(out.sizes() == x.sizes() && out.scalar_type() == at::kFloat);
  if (!ours(x)) {
    out.copy_(x);
    if (soft_cap > 0) out.div_(soft_cap).tanh_().mul_(soft_cap);
    return;
  }
  with_element_of(x, [&]<class T>(T*) {
    const Widen<T> task{.input = data<T>(x), .output = data<float>(out), .soft_cap = static_cast<float>(soft_cap)};
    share(best_set().of<T>().widen, task, x.numel(), static_cast<std::int64_t>(sizeof(T) + sizeof(float)),
          /*step=*/32);
  });
}

namespace {

/// Rotate out of ATen's operators.
void rotate_elsewhere(at::Tensor& queries, at::Tensor& keys, at::Tensor& values, const RotateRows& rows,
                      const at::Tensor& qkv, const at::Tensor& cos, const at::Tensor& sin, const at::Tensor& head_norm,
                      double epsilon) {
  const std::int64_t heads = queries.size(1), kv_heads = keys.size(1), half = queries.size(2) / 2;
  const at::Tensor own = qkv.narrow(0, rows.first, rows.tokens);
  at::Tensor x = own.narrow(1, 0, heads + kv_heads);
  x = (head_norm.defined() ? normalised(x, head_norm, epsilon) : x).to(qkv.scalar_type()).to(at::kFloat);
  const at::Tensor c = cos.narrow(0, rows.first, rows.tokens).unsqueeze(1);
  const at::Tensor s = sin.narrow(0, rows.first, rows.tokens).unsqueeze(1);
  const at::Tensor first = x.narrow(-1, 0, half), second = x.narrow(-1, half, half);
  const at::Tensor rotated = at::cat({first * c - second * s, second * c + first * s}, -1);
  queries.narrow(0, rows.first, rows.tokens).copy_(rotated.narrow(1, 0, heads));
  keys.narrow(0, rows.cache_row, rows.tokens).copy_(rotated.narrow(1, heads, kv_heads));
  values.narrow(0, rows.cache_row, rows.tokens).copy_(own.narrow(1, heads + kv_heads, kv_heads));
}

}  // namespace

void rotate(at::Tensor& queries, at::Tensor& keys, at::Tensor& values, const RotateRows& rows, const at::Tensor& qkv,
            const at::Tensor& cos, const at::Tensor& sin, const at::Tensor& head_norm, double epsilon) {
  const std::int64_t heads = queries.size(1), kv_heads = keys.size(1), d = queries.size(2),
                     width = heads + 2 * kv_heads;
  TORCH_INTERNAL_ASSERT(qkv.size(1) == width && qkv.size(2) == d && cos.size(-1) == d / 2);
  TORCH_INTERNAL_ASSERT(rows.cache_row + rows.tokens <= keys.size(0) && rows.first + rows.tokens <= qkv.size(0));
  if (!ours(qkv)) return rotate_elsewhere(queries, keys, values, rows, qkv, cos, sin, head_norm, epsilon);
  const bool wide = is_wide(head_norm, qkv);
  with_element_of(qkv, [&]<class T>(T*) {
    const Rotate<T> task{.qkv = data<T>(qkv) + rows.first * width * d,
                         .cos = data<float>(cos) + rows.first * d / 2,
                         .sin = data<float>(sin) + rows.first * d / 2,
                         .head_norm = wide ? nullptr : data<T>(head_norm),
                         .wide_head_norm = wide ? data<float>(head_norm) : nullptr,
                         .queries = data<T>(queries) + rows.first * heads * d,
                         .keys = data<T>(keys) + rows.cache_row * kv_heads * d,
                         .values = data<T>(values) + rows.cache_row * kv_heads * d,
                         .heads = heads,
                         .kv_heads = kv_heads,
                         .head_dim = d,
                         .epsilon = static_cast<float>(epsilon)};
    share(best_set().of<T>().rotate, task, rows.tokens, 3 * width * d * static_cast<std::int64_t>(sizeof(T)));
  });
}

template <class T>
void attend(std::span<const Attention<T>> tasks) {
  std::int64_t items = 0, work = 0;
  for (const Attention<T>& task : tasks) {
    items += attention_items(task);
    work += task.rows * task.tokens * task.heads * task.head_dim;
  }
  // Multiply-adds that a thread does in some microseconds.
  constexpr std::int64_t kWorkPerThread = 1 << 17;
  const auto threads = static_cast<int>(std::min<std::int64_t>(at::get_num_threads(), work / kWorkPerThread + 1));
  share_items(
      threads, items,
      [](const void* context, std::int64_t item) {
        for (const Attention<T>& task : *static_cast<const std::span<const Attention<T>>*>(context)) {
          const std::int64_t own = attention_items(task);
          if (item < own) return best_set().of<T>().attend(task, item, scratch(attention_scratch(task)));
          item -= own;
        }
      },
      &tasks);
}
template void attend(std::span<const Attention<float>>);
template void attend(std::span<const Attention<Bf16>>);
template void attend(std::span<const Attention<Fp16>>);

}  // namespace kvmesh::llm::kernels
