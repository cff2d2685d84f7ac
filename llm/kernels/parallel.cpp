#include "llm/kernels/parallel.hpp"

#include <algorithm>

// ThreadSanitizer does not see the barriers of an OpenMP runtime that was built without it: all that a team hands on
// would be a race.
#if defined(_OPENMP) && !defined(__SANITIZE_THREAD__)
#define KVMESH_TEAMS
#endif

namespace kvmesh::llm::kernels {

void share_ranges(int threads, std::int64_t count, std::int64_t least, std::int64_t step,
                  void (*body)(const void* context, Range part), const void* context) {
  const std::int64_t parts = std::min<std::int64_t>(threads, count / std::max<std::int64_t>(least, 1));
  if (parts <= 1) return body(context, {0, count});
  const std::int64_t size = ((count + parts - 1) / parts + step - 1) / step * step;
#ifdef KVMESH_TEAMS
#pragma omp parallel for schedule(static, 1) num_threads(static_cast <int>(parts))
#endif
  for (std::int64_t begin = 0; begin < count; begin += size) body(context, {begin, std::min(begin + size, count)});
}

void share_items(int threads, std::int64_t count, void (*body)(const void* context, std::int64_t item),
                 const void* context) {
  if (threads <= 1 || count <= 1) {
    for (std::int64_t item = count; item-- > 0;) body(context, item);
    return;
  }
#ifdef KVMESH_TEAMS
#pragma omp parallel for schedule(dynamic, 1) num_threads(static_cast <int>(std::min <std::int64_t>(threads, count)))
#endif
  for (std::int64_t i = 0; i < count; ++i) body(context, count - 1 - i);
}

}  // namespace kvmesh::llm::kernels
