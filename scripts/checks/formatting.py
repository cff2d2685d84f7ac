"""C++ as clang-format 14 and .clang-format write it. scripts/format puts it right."""

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

from .tree import ROOT, jobs, sources


def clang_format() -> str | None:
    """Version 14, by name or as the default: another version writes other line breaks."""
    if shutil.which("clang-format-14"):
        return "clang-format-14"
    if shutil.which("clang-format"):
        version = subprocess.run(["clang-format", "--version"], capture_output=True, text=True).stdout
        if "version 14." in version:
            return "clang-format"
    return None


def offered() -> bool:
    """Whether this system's packages have version 14: Debian 13 and later do not."""
    return subprocess.run(["apt-cache", "show", "clang-format-14"], capture_output=True).returncode == 0


def run() -> list[str]:
    program = clang_format()
    if program is None and shutil.which("apt-cache") and not offered():
        print("check formatting: SKIPPED, this system's packages have no clang-format 14", flush=True)
        return []
    if program is None:
        return ["clang-format 14 is not installed: run scripts/install-packages"]

    def differs(path: str) -> bool:
        done = subprocess.run([program, "--dry-run", "-Werror", path], cwd=ROOT, capture_output=True)
        return done.returncode != 0

    files = sources()
    with ThreadPoolExecutor(jobs()) as pool:
        wrong = [path for path, bad in zip(files, pool.map(differs, files)) if bad]
    return [f"{path}: not as clang-format writes it: run scripts/format {path}" for path in wrong]
