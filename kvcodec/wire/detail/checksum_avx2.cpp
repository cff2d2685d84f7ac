#define KVMESH_CHECKSUM avx2_checksum_kernels
#include "kvcodec/wire/detail/checksum_kernels.inc"
