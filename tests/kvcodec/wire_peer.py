#!/usr/bin/python3
"""The wire of docs/wire.md in another language, from the document alone: python3-msgpack and libxxhash.

As a library: encode_message, decode_message, manifest_hash, edge_topic. Frames are bytes; behind a ZeroMQ socket a
message is [edge_topic(...)] + frames.

As a program (the C++ tests run it):
  wire_peer.py answer IN OUT   reads a kv message, checks it, writes one back: ends exchanged, a layer up, keys and
                               values exchanged, and a key that the receiver does not know
  wire_peer.py hash FILE       prints the hash of the manifest in a JSON file
A file holds frames, each behind its length in four bytes, little-endian.
"""

import ctypes
import json
import struct
import sys

import msgpack

VERSION = 2
SEAL = b"\xa4xxh3\xcf"  # the key of a map's last entry, and the head of a uint 64
ITEM_SIZES = {"f32": 4, "bf16": 2, "f16": 2, "u8": 1}
AGREED = ("family", "num_key_value_heads", "head_dim", "rope_theta", "rope_scaling", "position_convention")

_xxhash = ctypes.CDLL("libxxhash.so.0")
_xxhash.XXH3_64bits.restype = ctypes.c_uint64
_xxhash.XXH3_64bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]


class WireError(Exception):
    """A message that is not what docs/wire.md says."""


def xxh3(data):
    return _xxhash.XXH3_64bits(data, len(data))


def edge_topic(mesh, sender, receiver, medium):
    return f"{mesh}/{sender}/{receiver}/{medium};".encode()


def manifest_hash(manifest):
    """16 hex digits over the fields that the ends of a kv edge must agree on."""
    agreed = {name: manifest[name] for name in AGREED}
    agreed["rope_theta"] = float(agreed["rope_theta"])
    canonical = json.dumps(agreed, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"{xxh3(canonical.encode()):016x}"


def encode_map(fields):
    """A map on the wire: its last entry is the checksum of every byte before it."""
    fields = {key: value for key, value in fields.items() if key != "xxh3"}
    data = msgpack.packb({**fields, "xxh3": 2**64 - 1}, use_bin_type=True)[:-8]
    return data + struct.pack(">Q", xxh3(data))


def decode_map(data):
    """The fields of a map on the wire that is whole, of our version, and needs nothing that we do not know."""
    fields = msgpack.unpackb(data, raw=False)
    if fields["version"] != VERSION:
        raise WireError(f"protocol version {fields['version']}, but this peer speaks {VERSION}")
    if data[-14:-8] != SEAL or struct.pack(">Q", xxh3(data[:-8])) != data[-8:]:
        raise WireError("the envelope's checksum is not its own")
    if fields.get("needs"):
        raise WireError(f"it needs {fields['needs']}, which this peer does not know")
    return fields


def encode_message(envelope, payload):
    """Frames [envelope, payload...]; the checksums are filled in."""
    return [encode_map(dict(envelope, checksum=xxh3(b"".join(payload))))] + list(payload)


def decode_message(frames):
    """(envelope, payload) of a message that is whole; raises WireError."""
    envelope = decode_map(frames[0])
    payload = list(frames[1:])
    if len(payload) != len(envelope["tensors"]):
        raise WireError(f"{len(payload)} payload frames for {len(envelope['tensors'])} tensors")
    for tensor, frame in zip(envelope["tensors"], payload):
        size = ITEM_SIZES[tensor["dtype"]]
        for extent in tensor["shape"]:
            size *= extent
        if size != len(frame):
            raise WireError(f"frame of {tensor['name']} has {len(frame)} bytes, its shape makes {size}")
    if envelope["kind"] == "kv":
        rows = sum(count for _, count in envelope["positions"])
        for tensor in envelope["tensors"]:
            if tensor["shape"][0] != rows:
                raise WireError(f"{tensor['name']} has {tensor['shape'][0]} rows, the positions name {rows}")
    if xxh3(b"".join(payload)) != envelope["checksum"]:
        raise WireError("the payload's checksum is not the envelope's")
    return envelope, payload


def read_frames(path):
    with open(path, "rb") as file:
        data = file.read()
    frames, at = [], 0
    while at < len(data):
        (size,) = struct.unpack_from("<I", data, at)
        frames.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return frames


def write_frames(path, frames):
    with open(path, "wb") as file:
        for frame in frames:
            file.write(struct.pack("<I", len(frame)) + frame)


def answer(source, target):
    envelope, (keys, values) = decode_message(read_frames(source))
    envelope["from"], envelope["to"] = envelope["to"], envelope["from"]
    envelope["layer"] += 1
    envelope["novel"] = {"note": "a key of a later version"}
    write_frames(target, encode_message(envelope, [values, keys]))


def main(arguments):
    if arguments[:1] == ["answer"] and len(arguments) == 3:
        answer(arguments[1], arguments[2])
    elif arguments[:1] == ["hash"] and len(arguments) == 2:
        with open(arguments[1], encoding="utf-8") as file:
            print(manifest_hash(json.load(file)))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except WireError as error:
        sys.exit(f"wire_peer.py: {error}")
