#pragma once

namespace kvmesh::test {

/// Runs Catch's test cases; gives the exit status.
int run_tests(int argc, char** argv);

}  // namespace kvmesh::test
