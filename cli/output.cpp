#include "cli/output.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "base/error.hpp"

namespace kvmesh::cli {

// A stream hands on what its buffer throws only where it is told that bad writes are exceptions.
Output::Output(int descriptor) : std::ostream(nullptr), buffer_(descriptor) {
  rdbuf(&buffer_);
  exceptions(std::ios::badbit);
}

Output::Buffer::int_type Output::Buffer::overflow(int_type c) {
  if (traits_type::eq_int_type(c, traits_type::eof())) return traits_type::not_eof(c);
  const char letter = traits_type::to_char_type(c);
  xsputn(&letter, 1);
  return c;
}

std::streamsize Output::Buffer::xsputn(const char* text, std::streamsize size) {
  line_.append(text, static_cast<std::size_t>(size));
  constexpr std::size_t kMost = 1 << 16;  // a line may be long, such as one of logits
  if (std::memchr(text, '\n', static_cast<std::size_t>(size)) != nullptr || line_.size() > kMost) sync();
  return size;
}

int Output::Buffer::sync() {
  const std::string text = std::exchange(line_, {});
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t written = ::write(descriptor_, text.data() + done, text.size() - done);
    if (written > 0) done += static_cast<std::size_t>(written);
    if (written >= 0 || errno == EINTR) continue;
    if (errno == EPIPE) throw ReaderGone();
    throw Error(ErrorKind::kGiveUp, cat("standard output cannot be written (", std::strerror(errno),
                                        "): what came before is incomplete; send it to a place with room"));
  }
  return 0;
}

std::string printable(std::string_view text) {
  std::string shown;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    // U+0080 to U+009F are control characters too, two bytes each in UTF-8.
    const bool second = byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) >= 0x80 &&
                        static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if ((byte >= 0x20 || byte == '\t' || byte == '\n') && byte != 0x7F && !second) {
      shown += text[i];
      continue;
    }
    char escape[8];
    std::snprintf(escape, sizeof escape, "\\x%02x", second ? static_cast<unsigned char>(text[++i]) : byte);
    shown += escape;
  }
  return shown;
}

}  // namespace kvmesh::cli
