#include "base/error.hpp"

#include <catch2/catch.hpp>
#include <set>

using kvmesh::Error;
using kvmesh::ErrorKind;

TEST_CASE("every kind of error comes back from its name") {
  std::set<std::string> names;
  for (const ErrorKind kind : {ErrorKind::kFixInput, ErrorKind::kRetry, ErrorKind::kReconnect, ErrorKind::kGiveUp}) {
    names.insert(kvmesh::to_string(kind));
    CHECK(kvmesh::error_kind_from_string(kvmesh::to_string(kind)) == kind);
  }
  CHECK(names == std::set<std::string>{"fix-input", "retry", "reconnect", "give-up"});
}

TEST_CASE("an unknown kind of error is taken for the worst one") {
  CHECK(kvmesh::error_kind_from_string("try-sideways") == ErrorKind::kGiveUp);
  CHECK(kvmesh::error_kind_from_string("") == ErrorKind::kGiveUp);
}

TEST_CASE("fail_input joins its parts into one sentence") {
  try {
    kvmesh::fail_input("line ", 7, " of \"", std::string("a.yaml"), "\" is empty");
    FAIL("fail_input returned");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::kFixInput);
    CHECK(std::string(error.what()) == "line 7 of \"a.yaml\" is empty");
  }
}
