#define KVMESH_CHECKSUM checksum_generic
#include "kvcodec/wire/detail/checksum_frames.inc"
