#include "bus/endpoint.hpp"

#include <catch2/catch.hpp>

#include "base/error.hpp"

using Catch::Matchers::Contains;
using kvmesh::Error;
using kvmesh::ErrorKind;
using kvmesh::bus::Endpoint;

TEST_CASE("endpoints are read and written alike") {
  for (const std::string text : {"ipc:///run/mesh/control", "ipc://relative/path", "tcp://127.0.0.1:5555", "tcp://*:*",
                                 "tcp://host.example:1", "tcp://[::1]:65535", "tcp://eth0:*"}) {
    INFO(text);
    CHECK(Endpoint::parse(text).string() == text);
    CHECK(Endpoint::parse(text) == Endpoint::parse(text));
  }
}

TEST_CASE("the parts of an endpoint") {
  const auto tcp = Endpoint::parse("tcp://[::1]:80");
  CHECK(tcp.scheme() == Endpoint::Scheme::kTcp);
  CHECK(tcp.host() == "[::1]");
  CHECK(tcp.port() == "80");
  const auto ipc = Endpoint::parse("ipc:///tmp/x:y");
  CHECK(ipc.scheme() == Endpoint::Scheme::kIpc);
  CHECK(ipc.path() == "/tmp/x:y");
}

TEST_CASE("made from parts, an endpoint is what its text reads as") {
  CHECK(Endpoint::tcp("127.0.0.1", "*") == Endpoint::parse("tcp://127.0.0.1:*"));
  CHECK(Endpoint::ipc("/tmp/a") == Endpoint::parse("ipc:///tmp/a"));
  CHECK_FALSE(Endpoint::ipc("/tmp/a") == Endpoint::ipc("/tmp/b"));
  CHECK_THROWS_AS(Endpoint::tcp("", "1"), Error);
  CHECK_THROWS_AS(Endpoint::tcp("h", "65536"), Error);
  CHECK_THROWS_AS(Endpoint::ipc(""), Error);
}

TEST_CASE("a bad endpoint is quoted and what is wrong with it said") {
  struct Case {
    std::string text;
    std::string says;
  };
  const auto bad = GENERATE(values<Case>({
      {"", "no scheme"},
      {"127.0.0.1:5555", "no scheme"},
      {"udp://127.0.0.1:1", "no scheme"},
      {"inproc://x", "no scheme"},
      {"ipc://", "no path"},
      {"ipc://*", "no path"},
      {"ipc://@name", "abstract"},
      {"ipc://" + std::string(108, 'p'), "108 bytes"},
      {"tcp://", "no host"},
      {"tcp://:5555", "no host"},
      {"tcp://host", "no port"},
      {"tcp://host:", "no port"},
      {"tcp://[::1]", "no port"},
      {"tcp://::1:80", "brackets"},
      {"tcp://ho st:80", "blanks"},
      {"tcp://eth0;h:80", "\";\""},
      {"tcp://host:0", "port \"0\""},
      {"tcp://host:65536", "port \"65536\""},
      {"tcp://host:99999999999999999999", "port \"9999"},
      {"tcp://host:80x", "port \"80x\""},
      {"tcp://host:-1", "port \"-1\""},
  }));
  INFO(bad.text);
  try {
    Endpoint::parse(bad.text);
    FAIL("it was taken");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::kFixInput);
    CHECK_THAT(error.what(), Contains(bad.says) && Contains('"' + bad.text + '"'));
  }
}

TEST_CASE("the longest ipc path that a socket holds is taken") {
  CHECK(Endpoint::parse("ipc://" + std::string(107, 'p')).path().size() == 107);
}
