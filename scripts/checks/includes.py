"""Who may include whom: rooms, their private folders, and third-party headers in public ones."""

import re

from .tree import ROOMS, ROOT, Include, includes_of, is_private, is_public_header, room_of, room_sources

MAY_INCLUDE = {
    "base": (),
    "bus": ("base",),
    "kvcodec/wire": ("base",),
    "kvcodec": ("base", "kvcodec/wire"),
    "llm": ("base", "kvcodec/wire"),
    "agents": ("base", "bus", "kvcodec", "kvcodec/wire", "llm"),
    "orchestrator": ("base", "bus", "kvcodec/wire"),
    "bench": ("base", "bus", "kvcodec", "kvcodec/wire", "llm", "agents"),
    "cli": ROOMS,
}
TENSOR_ROOMS = ("kvcodec", "llm", "agents", "bench", "cli")
TENSOR_HEADERS = ("ATen/", "c10/", "torch/")
# Libraries whose headers stay in sources and detail/.
HIDDEN_LIBRARIES = ("CLI/", "boost/", "nlohmann/", "oniguruma", "spdlog/", "utf8proc", "xxh", "yaml-cpp/", "zmq")
FORWARD_DECLARATIONS = ("nlohmann/json_fwd.hpp",)
# The files of kvmesh_llm_files, which programs without libtorch link.
TENSORLESS_LISTS = ("llm/files.cmake", "llm/text.cmake")
STANDARD_LIBRARY = re.compile(r"[a-z0-9_]+")


def own_header_complaint(include: Include) -> str | None:
    room, target_room = room_of(include.path), room_of(include.target)
    if not (ROOT / include.target).is_file():
        return f'"{include.target}" is no file: write it from the root of the tree'
    if room == "bench" and include.target.startswith("tests/support/"):
        return None  # benches run the checkpoints and folders that the tests make
    if target_room is None:
        return f'"{include.target}" belongs to no room'
    if target_room == room:
        return None
    if target_room not in MAY_INCLUDE[room]:
        allowed = ", ".join(MAY_INCLUDE[room]) or "no other room"
        return f"{room} may not include {target_room} (it may include: {allowed})"
    if is_private(include.target):
        return f'"{include.target}" is private to {target_room}'
    return None


def third_party_complaint(include: Include) -> str | None:
    room = room_of(include.path)
    if (ROOT / include.target).is_file():
        return f'<{include.target}> is ours: write it as "{include.target}"'
    if room == "base" and not STANDARD_LIBRARY.fullmatch(include.target):
        return f"base stands on the standard library only: <{include.target}>"
    if include.target.startswith(TENSOR_HEADERS) and room not in TENSOR_ROOMS:
        return f"{room} knows no tensors: <{include.target}>"
    hidden = include.target.startswith(HIDDEN_LIBRARIES) and include.target not in FORWARD_DECLARATIONS
    if hidden and is_public_header(include.path):
        return f"<{include.target}> in a public header: forward-declare, or move it to the .cpp or to detail/"
    return None


def tensorless_complaints() -> list[str]:
    """Tensor headers that a source of kvmesh_llm_files reaches."""
    queue = [f"llm/{name}" for path in TENSORLESS_LISTS for name in re.findall(r"[\w/]+\.cpp", (ROOT / path).read_text())]
    complaints, seen = [], set(queue)
    while queue:
        for include in includes_of(queue.pop()):
            if include.target.startswith(TENSOR_HEADERS):
                complaints.append(f"{include.where()}: <{include.target}>, though kvmesh_llm_files knows no tensors")
            if include.quoted and include.target not in seen and (ROOT / include.target).is_file():
                seen.add(include.target)
                queue.append(include.target)
    return complaints


def run() -> list[str]:
    complaints = tensorless_complaints()
    for path in room_sources():
        for include in includes_of(path):
            judge = own_header_complaint if include.quoted else third_party_complaint
            complaint = judge(include)
            if complaint:
                complaints.append(f"{include.where()}: {complaint}")
            if is_public_header(path) and include.quoted and is_private(include.target):
                complaints.append(f'{include.where()}: a public header includes "{include.target}", which is not installed')
    return complaints
