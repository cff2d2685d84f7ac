#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "agents/process/departure.hpp"
#include "agents/process/patience.hpp"

using namespace kvmesh::agents;
using namespace std::chrono_literals;

TEST_CASE("what is waited for is said after a second, after ten, and then every minute") {
  Patience patience;
  const Patience::Clock::time_point start{1h};
  CHECK_FALSE(patience.say("an answer", start));
  CHECK_FALSE(patience.say("an answer", start + 999ms));
  CHECK(patience.say("an answer", start + 1s) == "an answer");
  CHECK_FALSE(patience.say("an answer", start + 9s));
  CHECK(patience.say("an answer", start + 10s) == "an answer");
  CHECK_FALSE(patience.say("an answer", start + 69s));
  CHECK(patience.say("an answer", start + 70s) == "an answer");
}

TEST_CASE("what is waited for next has its own second, and nothing is said when the wait is over") {
  Patience patience;
  const Patience::Clock::time_point start{1h};
  patience.say("an answer", start);
  CHECK_FALSE(patience.say("a model", start + 2s));
  CHECK(patience.say("a model", start + 3s) == "a model");
  CHECK_FALSE(patience.say(std::nullopt, start + 20s));
}

TEST_CASE("an end that cannot come in order comes all the same, with the status that was asked for last") {
  const pid_t child = ::fork();
  if (child == 0) {
    Departure departure;
    departure.begin([] { return 42; });
    for (;;) ::pause();
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 42);
}

TEST_CASE("an end in order is not disturbed") {
  bool forced = false;
  {
    Departure departure;
    departure.begin([&] { return forced = true, 1; });
  }
  CHECK_FALSE(forced);
}
