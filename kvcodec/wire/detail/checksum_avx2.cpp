#define KVMESH_CHECKSUM checksum_avx2
#include "kvcodec/wire/detail/checksum_frames.inc"
