#define CATCH_CONFIG_RUNNER
#include "tests/support/catch_main.hpp"

#include <catch2/catch.hpp>

int kvmesh::test::run_tests(int argc, char** argv) { return Catch::Session().run(argc, argv); }
