#include "kvcodec/reassembly.hpp"

#include "base/error.hpp"

namespace kvmesh::kvcodec {

void Reassembly::feed(wire::WireMessage message) {
  note(message.envelope);
  messages_.push_back(std::move(message));
}

void Reassembly::check(const wire::Envelope& envelope) const {
  check_addressed_to_us(envelope);
  check_in_order(envelope);
}

void Reassembly::note(const wire::Envelope& envelope) {
  check(envelope);
  count_ = envelope.count;
  layers_complete_ = envelope.layers_complete;
  ++received_;
}

void Reassembly::refuse(const std::string& reason) const {
  throw Error(ErrorKind::kReconnect, cat("edge ", expected_.from, " -> ", expected_.to, " (", to_string(expected_.kind),
                                         "), request \"", expected_.request, "\": ", reason));
}

void Reassembly::check_addressed_to_us(const wire::Envelope& envelope) const {
  const auto check = [this](const char* what, const std::string& got, const std::string& wanted) {
    if (got != wanted) refuse(cat("a message with the ", what, " \"", got, "\" came, expected \"", wanted, "\""));
  };
  check("mesh", envelope.mesh, expected_.mesh);
  check("sender", envelope.from, expected_.from);
  check("receiver", envelope.to, expected_.to);
  check("kind", to_string(envelope.kind), to_string(expected_.kind));
  check("request", envelope.request, expected_.request);
  check("manifest hash", envelope.manifest, expected_.manifest);
}

void Reassembly::check_in_order(const wire::Envelope& envelope) const {
  const std::size_t next = received_;
  if (count_ != 0 && envelope.count != count_) {
    refuse(cat("message ", envelope.sequence, " says that there are ", envelope.count, " messages, the first said ",
               count_));
  }
  if (envelope.sequence < next) refuse(cat("message ", envelope.sequence, " of ", envelope.count, " came twice"));
  if (envelope.sequence > next) {
    refuse(cat("messages ", next, " to ", envelope.sequence - 1, " of ", envelope.count, " were lost on the way"));
  }
  if (envelope.kind != wire::Medium::kKv) return;
  if (envelope.layer < layers_complete_) {
    refuse(cat("rows of layer ", envelope.layer, " came after a message had called layers below ", layers_complete_,
               " complete"));
  }
  if (envelope.layers_complete < layers_complete_) {
    refuse(cat("message ", envelope.sequence, " calls layers below ", envelope.layers_complete,
               " complete, an earlier one those below ", layers_complete_));
  }
}

}  // namespace kvmesh::kvcodec
