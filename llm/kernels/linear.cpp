#include "llm/kernels/linear.hpp"

#include <ATen/ATen.h>
#include <c10/util/SmallVector.h>

#include "llm/kernels/launch.hpp"
#include "llm/kernels/ops.hpp"
#include "llm/runtime.hpp"

namespace kvmesh::llm::kernels {
namespace {

constexpr auto kFloatBytes = static_cast<std::int64_t>(sizeof(float));
/// Of widened weights: what the processor's caches hold until they have met every row.
constexpr std::int64_t kPanelBytes = 4 << 20;

void few_rows(at::Tensor& out, const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias) {
  const std::int64_t rows = input.size(0), width = input.size(1), outputs = weight.size(0);
  TORCH_INTERNAL_ASSERT(weight.is_contiguous() && weight.scalar_type() == input.scalar_type());
  with_element_of(input, [&]<class T>(T*) {
    const FewRows<T> task{.input = data<T>(input),
                          .weight = data<T>(weight),
                          .bias = data<T>(bias),
                          .output = data<T>(out),
                          .rows = rows,
                          .width = width,
                          .outputs = outputs};
    share(best_set().of<T>().few_rows, task, outputs, width * static_cast<std::int64_t>(sizeof(T)), /*step=*/4);
  });
}

/// Columns [first, first + width) of `out` from a product in fp32 [rows, width], with the bias.
void put_columns(at::Tensor& out, std::int64_t first, const float* product, std::int64_t width,
                 const at::Tensor& bias) {
  with_element_of(out, [&]<class T>(T*) {
    const Narrow<T> task{.input = product,
                         .bias = bias.defined() ? data<T>(bias) + first : nullptr,
                         .output = data<T>(out) + first,
                         .width = width,
                         .output_width = out.size(1)};
    share(best_set().of<T>().narrow, task, out.size(0), width * (kFloatBytes + static_cast<std::int64_t>(sizeof(T))));
  });
}

/// A product of many rows in fp32, a panel of weights after the other.
class PanelProduct {
 public:
  PanelProduct(at::Tensor& out, const at::Tensor& input, const at::Tensor& bias)
      : out_(out), bias_(bias), input_(input) {
    if (input.scalar_type() == at::kFloat) return;
    input_ = at::empty(input.sizes(), input.options().dtype(at::kFloat));
    widen(input_, input, /*soft_cap=*/0);
  }

  /// Multiplies `rows` rows of weights whose products stand from column `column` on, a multiple of `step` at once.
  /// `fill(panel, first)` writes rows [first, first + panel.size(0)) of them.
  template <class Fill>
  void run(std::int64_t column, std::int64_t rows, std::int64_t step, const Fill& fill) {
    const std::int64_t width = input_.size(1), inputs = input_.size(0);
    const std::int64_t wanted = std::max<std::int64_t>(kPanelBytes / (width * kFloatBytes), 64);
    const std::int64_t most = std::min(rows, (wanted + step - 1) / step * step);
    if (!panels_.defined() || panels_.size(0) < most) {
      panels_ = at::empty({most, width}, input_.options());
      products_ = at::empty({most * inputs}, input_.options());
    }
    for (std::int64_t first = 0; first < rows; first += most) {
      at::Tensor panel = panels_.narrow(0, 0, std::min(most, rows - first));
      at::Tensor product = products_.narrow(0, 0, inputs * panel.size(0)).view({inputs, panel.size(0)});
      fill(panel, first);
      at::mm_out(product, input_, panel.t());
      put_columns(out_, column + first, data<float>(product), panel.size(0), bias_);
    }
  }

 private:
  at::Tensor& out_;
  const at::Tensor& bias_;
  at::Tensor input_, panels_, products_;
};

/// For processors without instructions for the weights' type.
void in_fp32(at::Tensor& out, const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias) {
  PanelProduct(out, input, bias).run(0, weight.size(0), /*step=*/1, [&](at::Tensor& panel, std::int64_t first) {
    widen(panel, weight.narrow(0, first, panel.size(0)), /*soft_cap=*/0);
  });
}

void many_rows_of_pieces(at::Tensor& out, const at::Tensor& input, const Matrix& weight, const at::Tensor& bias) {
  PanelProduct product(out, input, bias);
  std::int64_t column = 0;
  for (const Matrix::Piece& piece : weight.pieces()) {
    const std::int64_t row_bytes = static_cast<std::int64_t>(piece.bytes.size()) / piece.rows;
    const std::int64_t step = std::max<std::int64_t>(piece.interleaved, 1);
    product.run(column, piece.rows, step, [&](at::Tensor& panel, std::int64_t first) {
      const Dequantise task{.dtype = piece.dtype,
                            .rows = piece.bytes.data() + first * row_bytes,
                            .row_bytes = row_bytes,
                            .width = weight.columns(),
                            .output = data<float>(panel),
                            .interleaved = piece.interleaved};
      share(best_set().dequantise, task, panel.size(0), weight.columns() * kFloatBytes);
    });
    column += piece.rows;
  }
}

/// Rounds a task's input into `room`, for which rounding_bytes() says how much is needed.
constexpr std::int64_t kGroup = 32;
std::int64_t rounding_bytes(std::int64_t numbers) { return 2 * numbers + numbers / kGroup * 4 * kFloatBytes; }
void round_input(StoredRows& task, float* room) {
  const std::int64_t groups = task.rows * task.width / kGroup;
  float *scales = room, *sums = scales + groups, *half_sums = sums + groups;
  auto* high = reinterpret_cast<std::int8_t*>(half_sums + 2 * groups);
  std::int8_t* low = high + task.rows * task.width;
  const RoundActivations rounding{
      .input = task.input, .high = high, .low = low, .scales = scales, .sums = sums, .half_sums = half_sums};
  best_set().round_activations(rounding, {0, groups});
  task.high = high;
  task.low = low;
  task.scales = scales;
  task.sums = sums;
  task.half_sums = half_sums;
}

void few_rows_of_pieces(at::Tensor& out, const at::Tensor& input, const Matrix& weight, const at::Tensor& bias) {
  const std::int64_t rows = input.size(0), width = input.size(1), outputs = weight.rows();
  const bool wide = input.scalar_type() == at::kFloat;
  bool rounds = false;  // what is bf16 or fp16 loses nothing that counts
  c10::SmallVector<StoredPiece, 3> pieces;
  for (const Matrix::Piece& piece : weight.pieces()) {
    rounds = rounds || (!wide && is_quantised(piece.dtype));
    pieces.push_back({.dtype = piece.dtype,
                      .data = piece.bytes.data(),
                      .row_bytes = static_cast<std::int64_t>(piece.bytes.size()) / piece.rows,
                      .rows = piece.rows,
                      .interleaved = piece.interleaved});
  }
  // Activations that are not fp32 go through memory that is.
  const std::int64_t wide_bytes = wide ? 0 : rows * (width + outputs) * kFloatBytes;
  auto* room = static_cast<float*>(scratch(wide_bytes + (rounds ? rounding_bytes(rows * width) : 0)));
  StoredRows task{.input = wide ? data<float>(input) : room,
                  .pieces = pieces.data(),
                  .piece_count = static_cast<std::int64_t>(pieces.size()),
                  .output = wide ? data<float>(out) : room + rows * width,
                  .rows = rows,
                  .width = width,
                  .outputs = outputs};
  if (!wide)
    with_element_of(input, [&]<class T>(T*) {
      best_set().of<T>().widen({.input = data<T>(input), .output = room}, {0, rows * width});
    });
  if (rounds) round_input(task, room + wide_bytes / kFloatBytes);
  share(best_set().stored_rows, task, outputs, pieces[0].row_bytes, /*step=*/4);
  if (!wide || bias.defined()) put_columns(out, 0, task.output, outputs, bias);
}

}  // namespace

void linear(at::Tensor& out, const at::Tensor& input, const Matrix& weight, const at::Tensor& bias) {
  TORCH_INTERNAL_ASSERT(weight.columns() == input.size(1) && out.size(0) == input.size(0) &&
                        out.size(1) == weight.rows());
  const bool few = input.size(0) <= kFewRows;
  if (!weight.dense().defined())
    return few ? few_rows_of_pieces(out, input, weight, bias) : many_rows_of_pieces(out, input, weight, bias);
  const at::Tensor& dense = weight.dense();
  if (ours(input) && few) return few_rows(out, input, dense, bias);
  if (ours(input) && product_type(input.scalar_type()) != input.scalar_type()) return in_fp32(out, input, dense, bias);
  if (bias.defined()) at::addmm_out(out, bias, input, dense.t());
  else at::mm_out(out, input, dense.t());
}

}  // namespace kvmesh::llm::kernels
