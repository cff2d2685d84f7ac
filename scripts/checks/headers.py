"""Every public header compiles alone, starts with #pragma once, and says nothing under -Wall -Wextra.

A header that passed is not compiled again until it, or one of ours that it includes, changes: build/check/headers.json
holds the hashes.
"""

import hashlib
import json
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

from .tree import ROOT, includes_of, is_public_header, jobs, room_sources

COMPILER = os.environ.get("CXX", "g++")
FLAGS = ["-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-x", "c++", "-I."]
CACHE = ROOT / "build" / "check" / "headers.json"


def closure(path: str, seen: set[str]) -> set[str]:
    """The header and every header of ours that it reaches."""
    if path not in seen and (ROOT / path).is_file():
        seen.add(path)
        for include in includes_of(path):
            if include.quoted:
                closure(include.target, seen)
    return seen


def fingerprint(path: str, compiler: str) -> str:
    digest = hashlib.sha256(f"{compiler} {FLAGS}".encode())
    for part in sorted(closure(path, set())):
        digest.update(part.encode() + b"\0" + (ROOT / part).read_bytes())
    return digest.hexdigest()


def compile_alone(path: str) -> str | None:
    done = subprocess.run([COMPILER, *FLAGS, "-"], input=f'#include "{path}"\n', cwd=ROOT, capture_output=True, text=True)
    return None if done.returncode == 0 else f"{path}: does not compile alone\n{done.stderr.rstrip()}"


def read_cache() -> dict[str, str]:
    try:
        return json.loads(CACHE.read_text())
    except (OSError, ValueError):
        return {}


def run() -> list[str]:
    if not shutil.which(COMPILER):
        return [f"{COMPILER} is not installed: run scripts/install-packages, or set CXX"]
    compiler = subprocess.run([COMPILER, "--version"], check=True, capture_output=True, text=True).stdout
    headers = [path for path in room_sources() if is_public_header(path)]
    complaints = [f"{path}:1: a header starts with #pragma once" for path in headers
                  if not (ROOT / path).read_text().startswith("#pragma once\n")]
    passed = read_cache()
    now = {path: fingerprint(path, compiler) for path in headers}
    todo = [path for path in headers if passed.get(path) != now[path]]
    with ThreadPoolExecutor(jobs()) as pool:
        results = dict(zip(todo, pool.map(compile_alone, todo)))
    CACHE.parent.mkdir(parents=True, exist_ok=True)
    CACHE.write_text(json.dumps({path: now[path] for path in headers if results.get(path) is None}, indent=1))
    return complaints + [complaint for complaint in results.values() if complaint]
