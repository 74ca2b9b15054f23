"""Each image is encoded once, and the codes outlive the process."""

import numpy as np
import pytest
from thoroughness import quick_first

from keras_devae.evaluation.encoding import Encoding, encoding_file

pytestmark = pytest.mark.backends


class Counting:
    """A data set that counts the images read from it."""

    factor_names = None

    def __init__(self, images):
        self.stored = images
        self.read = 0

    def __len__(self):
        return len(self.stored)

    def images(self, rows):
        self.read += len(rows)
        return self.stored[rows]


@pytest.fixture
def dataset(blobs):
    return Counting(blobs(60))


ROWS = np.array([[3, 7, 3], [59, 0, 7]])


LAYERED = ["devae", "devae_linear", "devae_parallel", "deft", "pca"]


@pytest.mark.parametrize("method", quick_first(LAYERED, {"devae"}))
def test_every_layer_is_what_the_model_says(tiny, blobs, dataset, method):
    model = tiny(method)
    if method == "pca":
        model.fit(blobs(60))
    encoding = Encoding(model, dataset)
    for layer in range(model.num_layers):
        means, log_vars = encoding.posterior(ROWS, layer)
        expected = model.posterior(dataset.stored[ROWS.ravel()], layer)
        np.testing.assert_allclose(means.reshape(6, -1), expected[0], rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(log_vars.reshape(6, -1), expected[1], rtol=1e-5, atol=1e-5)
        np.testing.assert_array_equal(encoding.codes(ROWS, layer), means)


@pytest.mark.parametrize("method", ["joint_vae", "cascade_vae"])
def test_a_category_is_one_more_code(tiny, dataset, method):
    model = tiny(method)
    codes = Encoding(model, dataset).codes(ROWS, 0)
    assert codes.shape == (2, 3, 4)
    expected = model.encode_categories(dataset.stored[ROWS.ravel()])
    np.testing.assert_array_equal(codes[..., 3].ravel(), expected)


def test_no_image_is_read_twice(tiny, dataset):
    encoding = Encoding(tiny(), dataset)
    encoding.codes(ROWS, 0)
    encoding.codes(ROWS, 2)
    assert dataset.read == 4
    encoding.prepare(np.arange(10))
    assert dataset.read == encoding.encoded_count == 11
    encoding.codes(ROWS, 1)
    assert dataset.read == 11


def test_codes_do_not_depend_on_what_was_asked_before(tiny, dataset):
    model = tiny()
    whole = Encoding(model, dataset)
    whole.prepare(np.arange(60))
    bit_by_bit = Encoding(model, dataset)
    for row in (5, 17, 2):
        bit_by_bit.prepare([row])
    rows = np.array([2, 5, 17])
    np.testing.assert_array_equal(bit_by_bit.codes(rows, 0), whole.codes(rows, 0))


OLD, NEW, DATA = "0" * 12, "1" * 12, "2" * 16


def test_saving_removes_the_codes_of_other_weights_and_nothing_else(tiny, dataset, tmp_path):
    own = ["codes-of-mine.npz", f"codes-{OLD}-1.npz", f"Codes-{OLD}-{DATA}.npz", "images.npz"]
    own += [f"codes-{OLD}-{DATA}.npz.bak", f".codes-{OLD}-{DATA}.npz"]
    names = [f"codes-{OLD}-{DATA}.npz", f"codes-{NEW}-{DATA}.npz", *own]
    for name in names:
        (tmp_path / name).write_bytes(b"")
    encoding = Encoding(tiny(), dataset)
    encoding.prepare(ROWS)
    encoding.save(tmp_path / f"codes-{NEW}-{'3' * 16}.npz")
    left = {file.name for file in tmp_path.iterdir()}
    assert left == {*names[1:], f"codes-{NEW}-{'3' * 16}.npz"}


def test_saved_codes_are_read_and_added_to(tiny, dataset, tmp_path):
    model, file = tiny(), tmp_path / "codes" / "codes-1.npz"
    first = Encoding(model, dataset)
    expected = first.codes(ROWS, 0)
    first.save(file)
    read = dataset.read
    second = Encoding(model, dataset)
    second.load(file)
    np.testing.assert_array_equal(second.codes(ROWS, 0), expected)
    assert dataset.read == read and second.encoded_count == 0
    second.codes(np.arange(20), 0)
    second.save(file)
    third = Encoding(model, dataset)
    third.load(file)
    third.codes(np.arange(20), 0)
    assert third.encoded_count == 0


def test_nothing_new_is_not_written(tiny, dataset, tmp_path):
    Encoding(tiny(), dataset).save(tmp_path / "codes.npz")
    assert not list(tmp_path.iterdir())


def test_codes_of_other_weights_are_removed_and_those_of_other_data_kept(tiny, dataset, tmp_path):
    kept = encoding_file(tmp_path, NEW, {"variants": ["noise"]})
    for file in (kept, encoding_file(tmp_path, OLD, {})):
        file.write_bytes(b"old")
    encoding = Encoding(tiny(), dataset)
    encoding.prepare([1])
    new = encoding_file(tmp_path, NEW, {})
    encoding.save(new)
    assert set(tmp_path.iterdir()) == {kept, new}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a file of arrays",
        {"rows": np.arange(3), "means": np.zeros((2, 3)), "log_vars": np.zeros((3, 3))},
        {"rows": np.arange(3)},
        {"rows": np.array([61]), "means": np.zeros((1, 3)), "log_vars": np.zeros((1, 3))},
        {"rows": np.array([-1]), "means": np.zeros((1, 3)), "log_vars": np.zeros((1, 3))},
    ],
)
def test_a_damaged_file_is_passed_over(tiny, dataset, tmp_path, content, caplog):
    file = tmp_path / "codes.npz"
    if isinstance(content, dict):
        np.savez(file, **content)
    else:
        file.write_bytes(content)
    encoding = Encoding(tiny(), dataset)
    encoding.load(file)
    assert "damaged" in caplog.text
    assert encoding.codes(np.array([1, 2]), 0).shape == (2, 3)


def test_the_file_belongs_to_weights_and_data(tmp_path):
    files = {
        encoding_file(tmp_path, weights, data)
        for weights in ("a", "b")
        for data in ({"source": "rendered"}, {"source": "official"})
    }
    assert len(files) == 4
    same = encoding_file(tmp_path, "a", {"source": "rendered"})
    assert same in files and same.parent == tmp_path


def test_progress_counts_up(tiny, blobs):
    seen = []
    encoding = Encoding(tiny(), Counting(blobs(1500)), lambda *counts: seen.append(counts))
    encoding.prepare(np.arange(1500))
    assert seen == [(1024, 1500), (1500, 1500)]
