#define KVMESH_CHECKSUM generic_checksum_kernels
#include "kvcodec/wire/detail/checksum_kernels.inc"
