#define KVMESH_CHECKSUM avx512_checksum_kernels
#include "kvcodec/wire/detail/checksum_kernels.inc"
