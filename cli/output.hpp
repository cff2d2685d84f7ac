#pragma once

#include <ostream>
#include <streambuf>
#include <string>
#include <string_view>

namespace kvmesh::cli {

/// Whoever read what we print has gone away (`kvmesh run ... | head`). No error: main ends the program as such a reader
/// ends every other one, by SIGPIPE, after everything that was started has been ended in order. Not an Error, so that
/// nothing on the way reports it as one.
struct ReaderGone {};

/// Standard output of every command. A line leaves as soon as it is complete, to a file or a pipe as well as to a
/// terminal, and every write is checked: what cannot be written ends the command at once. Used from one thread.
///
/// Its members throw Error{kGiveUp} with the reason (a full disk), or ReaderGone. From then on bad() is true, and
/// nothing more may be written.
class Output : public std::ostream {
 public:
  /// `descriptor` stays open and its owner's. What is left of an incomplete line at the end is lost: flush() before.
  explicit Output(int descriptor);

 private:
  class Buffer : public std::streambuf {
   public:
    explicit Buffer(int descriptor) : descriptor_(descriptor) {}

   private:
    int_type overflow(int_type c) override;
    std::streamsize xsputn(const char* text, std::streamsize size) override;
    int sync() override;

    int descriptor_;
    std::string line_;
  };
  Buffer buffer_;
};

/// `text` for a terminal: control characters other than tab and line feed are written as \x1b. What comes from records
/// and models is shown through it, so that it cannot move the cursor, set the title or erase what stands there.
std::string printable(std::string_view text);

}  // namespace kvmesh::cli
