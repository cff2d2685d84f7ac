#define KVMESH_CHECKSUM checksum_avx512
#include "kvcodec/wire/detail/checksum_frames.inc"
