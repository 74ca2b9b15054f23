"""`keras-devae bench`."""

import json

import keras
import numpy as np
import pytest
from running import run

pytestmark = pytest.mark.backends

TINY = [
    *("--source", "rendered", "--image-size", "32", "--network", "mlp"),
    *("--batch-sizes", "4", "--seconds", "0.05", "--rounds", "2"),
]


def bench(*words):
    return run("--backend", keras.backend.backend(), "bench", *TINY, *words)


def test_measures_what_it_says(tmp_path, capsys):
    file = tmp_path / "new" / "bench.json"
    assert bench("--precisions", "off", "--resident", "--output", file) == 0
    printed = capsys.readouterr().out
    assert "of peak" in printed and "What train would choose" in printed and "Fastest" in printed
    report = json.loads(file.read_text())
    (row,) = report["rows"]
    assert "failure" not in row and row["precision"] == "float32"
    for name in ("steps_per_second", "encoding_images_per_second", "data_images_per_second"):
        assert 0 < row[name]["low"] <= row[name]["median"] <= row[name]["high"]
    assert row["waiting_share"]["median"] < 1
    # The two sides of 1200 units, times the images of a batch.
    weights = 1024 * 1200 * 2 + 1200 * 1200 * 2 + 1200 * (10 * 2 + 20)
    assert row["step_gigaflop"] == pytest.approx(2 * 4 * (3 * weights - 1024 * 1200) / 1e9)
    reached = row["step_gigaflop"] * row["steps_per_second"]["median"]
    assert row["peak_share"] * row["peak_gigaflops"] == pytest.approx(reached)
    assert row["memory_megabytes"] > 100
    assert "images on the device" in row["settings"]
    assert row["images_left_out"] == 737_280 - 16_384 and "720,896" in printed
    assert "images from the host" in report["choices"][keras.backend.backend()]
    rate = 4 * row["steps_per_second"]["median"]
    assert report["fastest"]["images_per_second"] == pytest.approx(rate)
    assert report["machine"]["cores"] >= 1 and report["machine"]["versions"]["keras"]


def test_what_cannot_be_measured_has_a_row_with_the_reason(tmp_path, capsys):
    # The convolutional networks take no images of this size.
    np.savez(tmp_path / "images.npz", images=np.zeros((8, 12, 12, 1), np.uint8))
    words = ["--dataset", f"npz:{tmp_path / 'images.npz'}", "--batch-sizes", "4", "--json"]
    words += ["--precisions", "off"]
    assert run("--backend", keras.backend.backend(), "bench", *words) == 1
    report = json.loads(capsys.readouterr().out)
    (row,) = report["rows"]
    assert "12x12" in row["failure"] and "steps_per_second" not in row
    assert report["fastest"] is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--precisions", "half"], "Unknown precision 'half'"),
        (["--batch-sizes", "4,x"], "comma-separated whole numbers"),
        (["--batch-sizes", "0"], "`batch_size`"),
        (["--rounds", "0"], "--rounds"),
        (["--model", "ica"], "no training steps"),
        (["--dataset", "dsprite"], "dsprites"),
        (["--output", "."], "Cannot write"),
    ],
)
def test_wrong_use_is_refused_at_once(words, message, capsys):
    assert bench(*words) == 2
    assert message in capsys.readouterr().err


def test_unknown_backend(capsys):
    assert run("--backend", "torhc", "bench") == 2
    assert "'torch'" in capsys.readouterr().err
