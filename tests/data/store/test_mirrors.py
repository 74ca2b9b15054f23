"""Published files from several addresses, tried in turn."""

import dataclasses
import http.server
import threading

import numpy as np
import pytest
from data_folder import unfinished, visible

from keras_devae.data import FactorGrid, info, load, prepare, verify
from keras_devae.data.builtin import catalogue
from keras_devae.data.builtin.mpi3d import MPI3DFile
from keras_devae.errors import FailureError

SIZES = (2, 3, 2, 2, 2, 4, 3)
PAGE = b"<!doctype html><title>moved</title>"


class SmallMPI3DFile(MPI3DFile):
    grid = FactorGrid(MPI3DFile.factor_names, SIZES)


@pytest.fixture
def mirrors():
    """A server whose paths answer as they are called."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked.append(self.path)
            if self.path == "/moved":
                self.send_response(302)
                self.send_header("Location", "/page")
                self.end_headers()
                return
            status, kind, body, sent = self.server.answers[self.path]
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[:sent])

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked = []
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def arms(miniature, tmp_path, mirrors, monkeypatch):
    """MPI3D's real images, in small, at the paths of a server."""
    written = miniature.write_mpi3d(tmp_path, name="mpi3d_real.npz")
    content, wrong = written.paths[0].read_bytes(), tmp_path / "wrong.npz"
    np.savez(wrong, images=written.images[:5])
    binary = "application/octet-stream"
    mirrors.answers = {
        "/good": (200, binary, content, None),
        "/gone": (404, "text/plain", b"gone", None),
        "/broken": (500, "text/plain", b"", None),
        "/cut": (200, binary, content, len(content) // 2),
        "/short": (200, binary, content[: len(content) // 2], None),
        "/wrong": (200, binary, wrong.read_bytes(), None),
        "/page": (200, "text/html; charset=utf-8", PAGE, None),
        "/unmarked": (200, binary, PAGE, None),
    }

    def use(*paths, **facts):
        first, *others = (path if "://" in path else mirrors.url + path for path in paths)
        known = catalogue.builtin_set("mpi3d_real")
        file = dataclasses.replace(known.files[0], url=first, mirrors=tuple(others), **facts)
        changed = dataclasses.replace(known, files=(file,), file_format=SmallMPI3DFile)
        monkeypatch.setitem(catalogue.BUILTIN_SETS, "mpi3d_real", changed)
        monkeypatch.delenv("KERAS_DEVAE_MPI3D_REAL_URL", raising=False)
        return written

    return use


DEAD = "http://127.0.0.1:9/dead"


@pytest.mark.parametrize(
    "first",
    [DEAD, "/gone", "/broken", "/cut", "/short", "/wrong", "/page", "/moved", "/unmarked"],
)
def test_the_next_address_is_tried(arms, mirrors, root, first):
    written = arms(first, "/good")
    store = prepare("mpi3d_real", data_dir=root)
    assert mirrors.asked[-1] == "/good" and unfinished(root) == []
    assert visible(root) == ["mpi3d_real", "mpi3d_real.npz"]
    images = load("mpi3d_real", path=store).images(range(5))
    np.testing.assert_array_equal(images, written.images[:5])


def test_the_first_that_answers_is_the_last_that_is_asked(arms, mirrors, root):
    arms("/good", "/gone")
    prepare("mpi3d_real", data_dir=root)
    assert mirrors.asked == ["/good"]


def test_all_reasons_and_addresses_are_named(arms, mirrors, root):
    arms(DEAD, "/gone", "/page")
    with pytest.raises(FailureError) as error:
        prepare("mpi3d_real", data_dir=root)
    for words in ("cannot be reached", "404", "web page", f"{mirrors.url}/gone", "by hand", DEAD):
        assert words in str(error.value)
    assert visible(root) == unfinished(root) == []


def test_an_address_of_ones_own_has_no_mirrors(arms, mirrors, root):
    arms("/good", "/good")
    with pytest.raises(FailureError, match="404"):
        prepare("mpi3d_real", data_dir=root, url=f"{mirrors.url}/gone")
    assert mirrors.asked == ["/gone"]


def test_a_replaced_file_is_accepted_by_what_it_holds(arms, root):
    arms("/good")
    assert catalogue.builtin_set("mpi3d_real").files[0].md5 is not None
    store = prepare("mpi3d_real", data_dir=root)
    assert info("mpi3d_real", root)["prepared"][str(store)]["matches_published"] is None
    state = verify("mpi3d_real", root)[str(root / "mpi3d_real.npz")]
    assert "authors have replaced" in state


def test_another_hash_of_a_file_that_was_not_replaced_is_refused(arms, root):
    arms("/good", was_replaced=False)
    with pytest.raises(FailureError, match=r"MD5 is .* and not the published"):
        prepare("mpi3d_real", data_dir=root)


@pytest.mark.parametrize(
    ("kind", "name"),
    [("toy", "mpi3d_toy.npz"), ("realistic", "mpi3d_realistic.npz"), ("real", "real.npz")],
)
def test_mpi3d_has_its_new_addresses(kind, name):
    (file,) = info(f"mpi3d_{kind}")["files"]
    folder = "https://storage.googleapis.com/mpi3d_disentanglement_dataset/data"
    assert file["url"] == f"{folder}/{name}" and file["was_replaced"]


def test_a_folder_may_hold_the_name_of_the_address(arms, tmp_path, root):
    written = arms("/x/real.npz")
    folder = tmp_path / "own"
    folder.mkdir()
    written.paths[0].rename(folder / "real.npz")
    store = prepare("mpi3d_real", folder, root)
    np.testing.assert_array_equal(load("mpi3d_real", path=store).images([4]), written.images[[4]])
