"""Miniature files in the published formats, and a server to fetch them from."""

import http.server
import threading
from pathlib import Path

import h5py
import numpy as np
import pytest

from keras_devae.data.builtin.catalogue import BUILTIN_SETS

DSPRITES_FILE = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz"


@pytest.fixture(autouse=True)
def _private_data_folder(tmp_path, monkeypatch):
    """Keeps every test away from the user's own data and from the network."""
    monkeypatch.setenv("KERAS_DEVAE_DATA", str(tmp_path / "data"))
    for name in BUILTIN_SETS:
        monkeypatch.setenv(f"KERAS_DEVAE_{name.upper()}_URL", "http://127.0.0.1:9/nothing")
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
def root(tmp_path):
    """A data folder that does not exist yet."""
    return tmp_path / "new" / "folder"


@pytest.fixture
def reference():
    folder = Path(__file__).parent / "reference"

    def read(name):
        with np.load(folder / name) as archive:
            return archive["images"], archive["factors"].astype(np.int64)

    return read


def grid_rows(sizes):
    """All combinations in C order, by NumPy alone."""
    return np.indices(sizes).reshape(len(sizes), -1).T


@pytest.fixture
def dsprites_npz(tmp_path):
    """48 random binary images in the layout of the published file, its pickle included."""
    rng = np.random.default_rng(0)
    classes = np.insert(grid_rows((3, 2, 2, 2, 2)), 0, 0, axis=1)
    members = {
        "imgs": rng.integers(0, 2, (48, 64, 64), dtype=np.uint8),
        "latents_classes": classes,
        "latents_values": classes.astype(np.float64),
        "metadata": np.array({"date": "April 2017"}, dtype=object),
    }

    def write(path=tmp_path / DSPRITES_FILE, **changed):
        kept = {k: v for k, v in {**members, **changed}.items() if v is not None}
        np.savez_compressed(path, **kept)
        return path, members["imgs"], members["latents_classes"][:, 1:]

    return write


@pytest.fixture
def shapes3d_h5(tmp_path):
    """32 random images in the layout of the published file, compressed in chunks of 5."""
    rng = np.random.default_rng(1)
    numbers = grid_rows((2, 2, 2, 2, 1, 2))
    images = rng.integers(0, 256, (32, 64, 64, 3), dtype=np.uint8)
    labels = numbers * [0.1, 0.1, 0.1, 0.5, 1, 60] + [0, 0, 0, 0.75, 0, -30]

    def write(path=tmp_path / "3dshapes.h5", images=images, labels=labels):
        with h5py.File(path, "w") as file:
            if images is not None:
                chunks = (5, *images.shape[1:])
                file.create_dataset("images", data=images, chunks=chunks, compression="gzip")
            if labels is not None:
                file["labels"] = labels
        return path, images, numbers

    return write


@pytest.fixture
def server():
    """Answers with the queued (status, body), the last one again and again; keeps count.

    With `etag` it answers requests for a part of the body; `cut_after` breaks the next answer off
    after so many bytes.
    """

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            owner, answers = self.server, self.server.answers
            owner.requests.append({**self.headers, "path": self.path})
            status, body = answers.pop(0) if len(answers) > 1 else answers[0]
            wanted = self.headers.get("Range") if owner.etag == self.headers.get("If-Range") else ""
            whole = len(body)
            if wanted and owner.etag and status == 200:
                start = int(wanted.removeprefix("bytes=").removesuffix("-"))
                status, body = (206, body[start:]) if start < whole else (416, b"")
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if owner.etag:
                self.send_header("ETag", owner.etag)
            if status == 416:
                self.send_header("Content-Range", f"bytes */{whole}")
            self.end_headers()
            self.wfile.write(body[: owner.cut_after])
            owner.cut_after = None

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as instance:
        instance.answers, instance.requests = [], []
        instance.etag = instance.cut_after = None
        instance.url = f"http://127.0.0.1:{instance.server_port}/file"
        thread = threading.Thread(target=instance.serve_forever, daemon=True)
        thread.start()
        yield instance
        instance.shutdown()
        thread.join()
