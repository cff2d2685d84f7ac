#include "base/bytes.hpp"

#include <catch2/catch.hpp>
#include <memory>
#include <string>

using kvmesh::OwnedBytes;

TEST_CASE("a copy shares the bytes and does not copy them") {
  const auto bytes = OwnedBytes::from_string("a text that is longer than a small string");
  const OwnedBytes copy = bytes;
  CHECK(copy.data() == bytes.data());
  CHECK(copy.text() == "a text that is longer than a small string");
}

TEST_CASE("the owner lives as long as the last copy") {
  auto text = std::make_shared<const std::string>("payload");
  const std::weak_ptr<const std::string> watch = text;
  auto bytes = std::make_unique<OwnedBytes>(text, std::as_bytes(std::span(text->data(), text->size())));
  auto copy = std::make_unique<OwnedBytes>(*bytes);
  text.reset();
  bytes.reset();
  REQUIRE_FALSE(watch.expired());
  CHECK(copy->text() == "payload");
  copy.reset();
  CHECK(watch.expired());
}

TEST_CASE("bytes of a short string survive a move") {
  auto bytes = OwnedBytes::from_string("abc");
  const OwnedBytes moved = std::move(bytes);
  CHECK(moved.text() == "abc");
}

TEST_CASE("no bytes are empty and have no owner") {
  const OwnedBytes none;
  CHECK(none.empty());
  CHECK(none.size() == 0);
  CHECK(none.owner() == nullptr);
  CHECK(none.text().empty());
}

TEST_CASE("bytes may be part of what the owner holds") {
  const auto whole = OwnedBytes::from_string("topic;payload");
  const OwnedBytes part(whole.owner(), whole.span().subspan(6));
  CHECK(part.text() == "payload");
  CHECK(part.owner() == whole.owner());
}
