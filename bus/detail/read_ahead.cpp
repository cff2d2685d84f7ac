#include "bus/detail/read_ahead.hpp"

#include "base/deadline.hpp"

namespace kvmesh::bus::detail {

void ReadAhead::before(const SharedRows& rows) {
  Unread& unread = unread_[rows.receiver];
  const Deadline deadline = Deadline::after(patience_);
  for (std::size_t room = kBytes;; room = kBytes / 2) {
    const std::uint32_t seen = header_.released.load();
    drop_what_was_read(unread);
    if (unread.rows.empty() || unread.bytes + rows.bytes <= room) break;
    if (deadline.expired()) {
      unread = {};
      break;
    }
    await_release(header_, seen, deadline.remaining());
  }
  unread.rows.push_back(rows);
  unread.bytes += rows.bytes;
}

void ReadAhead::drop_what_was_read(Unread& unread) {
  while (!unread.rows.empty()) {
    const SharedRows& oldest = unread.rows.front();
    if (header_.holders[oldest.ticket].load() == oldest.receiver + 1) return;
    unread.bytes -= oldest.bytes;
    unread.rows.pop_front();
  }
}

}  // namespace kvmesh::bus::detail
