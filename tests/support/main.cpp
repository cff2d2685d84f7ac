// Compiled for each test program; what takes long to compile is in catch_main.cpp.

#include "tests/support/catch_main.hpp"

#ifdef KVMESH_HOSTS_MODELS
#include "llm/runtime.hpp"
#endif

int main(int argc, char** argv) {
#ifdef KVMESH_HOSTS_MODELS
  kvmesh::llm::prepare_process(argv);  // so that KVMESH_ISA holds the libraries here too
#endif
  return kvmesh::test::run_tests(argc, argv);
}
