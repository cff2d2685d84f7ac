#include "bus/detail/read_ahead.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

namespace kvmesh::bus::detail {
namespace {

using namespace std::chrono_literals;

/// Longer than the tests may take: a wait that should not be is a test that does not end.
constexpr auto kForEver = 10min;
constexpr std::size_t kHalf = ReadAhead::kBytes / 2;

/// Rows that receiver number `receiver` has not read.
SharedRows unread(ArenaHeader& header, std::uint32_t ticket, std::uint32_t receiver = 0) {
  header.holders[ticket].store(receiver + 1);
  return {.receiver = receiver, .ticket = ticket, .bytes = kHalf};
}

void read(ArenaHeader& header, std::uint32_t ticket) {
  header.holders[ticket].store(0);
  wake_sender(header);
}

}  // namespace

TEST_CASE("a sender runs ahead of its receiver up to a bound without waiting") {
  ArenaHeader header;
  ReadAhead ahead(header, kForEver);
  ahead.before(unread(header, 0));
  ahead.before(unread(header, 1));
}

TEST_CASE("beyond the bound a sender waits until its receiver has read half of it") {
  ArenaHeader header;
  ReadAhead ahead(header, kForEver);
  ahead.before(unread(header, 0));
  ahead.before(unread(header, 1));
  std::atomic<int> have_been_read = 0;
  std::thread receiver([&] {
    for (std::uint32_t ticket = 0; ticket < 2; ++ticket) {
      ++have_been_read;
      read(header, ticket);
    }
  });
  ahead.before(unread(header, 2));
  CHECK(have_been_read == 2);
  receiver.join();
}

TEST_CASE("one receiver's unread rows do not hold up another's") {
  ArenaHeader header;
  ReadAhead ahead(header, kForEver);
  ahead.before(unread(header, 0, /*receiver=*/0));
  ahead.before(unread(header, 1, /*receiver=*/0));
  ahead.before(unread(header, 2, /*receiver=*/1));
}

TEST_CASE("rows larger than the bound leave once everything before them has been read") {
  ArenaHeader header;
  ReadAhead ahead(header, kForEver);
  SharedRows rows = unread(header, 0);
  rows.bytes = 3 * ReadAhead::kBytes;
  ahead.before(rows);
  read(header, 0);
  ahead.before(rows);
}

TEST_CASE("a receiver that returns nothing does not stop a sender") {
  ArenaHeader header;
  ReadAhead ahead(header, 1ms);
  for (std::uint32_t ticket = 0; ticket < 20; ++ticket) ahead.before(unread(header, ticket));
}

}  // namespace kvmesh::bus::detail
