#include "bus/local_address.hpp"

#include <catch2/catch.hpp>

#include "base/error.hpp"

using kvmesh::Error;
using kvmesh::bus::Endpoint;
using kvmesh::bus::local_address_towards;

TEST_CASE("towards loopback this host is loopback") {
  CHECK(local_address_towards(Endpoint::parse("tcp://127.0.0.1:5555")) == "127.0.0.1");
  CHECK(local_address_towards(Endpoint::parse("tcp://localhost:5555")) == "127.0.0.1");
}

TEST_CASE("a local address can stand in an endpoint") {
  const auto address = local_address_towards(Endpoint::parse("tcp://127.0.0.1:5555"));
  CHECK(Endpoint::tcp(address, "*").host() == address);
}

TEST_CASE("an endpoint that names no host has no way to it") {
  CHECK_THROWS_AS(local_address_towards(Endpoint::parse("ipc:///tmp/x")), Error);
  CHECK_THROWS_AS(local_address_towards(Endpoint::parse("tcp://*:1")), Error);
}

TEST_CASE("a host that cannot be found is named") {
  CHECK_THROWS_WITH(local_address_towards(Endpoint::parse("tcp://no-such-host.invalid:1")),
                    Catch::Matchers::Contains("no-such-host.invalid"));
}
