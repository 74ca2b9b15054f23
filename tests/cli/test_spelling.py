"""Messages name options as they are typed."""

import logging
import re

import click
import numpy as np
import pytest
from PIL import Image
from running import run

from keras_devae.cli.main import _Sentences
from keras_devae.cli.spelling import in_options
from keras_devae.cli.train import train
from keras_devae.metrics.rows import draw_sample

COMMAND = click.Command(
    "train",
    params=[
        click.Option(["--image-size"]),
        click.Option(["--network"]),
        click.Option(["--steps"]),
        click.Option(["--variant", "variants"]),
        click.Option(["--from", "from_file"]),
        click.Option(["--force-download"], is_flag=True),
        click.Option(["--resident/--no-resident"]),
        click.Option(["--bins"]),
        click.Option(["--betas"]),
    ],
)


@pytest.mark.parametrize(
    ("said", "typed"),
    [
        ("Received: image_size=96.", "Received: --image-size 96."),
        ("`image_size` must be a whole number.", "--image-size must be a whole number."),
        ("choose network='mlp'.", "choose --network mlp."),
        ("again with force=True.", "again with --force-download."),
        ("resident=False, or resident=True", "--no-resident, or --resident"),
        ("bins={'angle': 20} if", "--bins angle=20 if"),
        ("betas=[1.0, 4.5].", "--betas 1.0,4.5."),
        ("with `from_file` or image_size", "with --from or --image-size"),
        ("`variants=['noise']`", "--variant noise"),
        # Words, paths and what the user wrote stay.
        ("5 steps of network, variants", "5 steps of network, variants"),
        ("/a/image_size/b and 'image_size'", "/a/image_size/b and 'image_size'"),
        ("variant 'noise:steps=3' of x.steps=3", "variant 'noise:steps=3' of x.steps=3"),
        ("`keras-devae train --steps 3`", "`keras-devae train --steps 3`"),
        ("`unknown` and seed=3", "`unknown` and seed=3"),
    ],
)
def test_arguments_become_options(said, typed):
    assert in_options(said, COMMAND) == typed
    group = click.Group("all", commands={"train": COMMAND})
    assert in_options(said, group) == typed


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "pictures"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(8):
        pixels = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    lines = [f"{number}.png,{number % 2},7" for number in range(8)]
    (folder / "factors.csv").write_text("\n".join(["file,shape,size", *lines]))
    return folder


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--image-size", 8], "Received: 8x8. Resize the images, or choose --network mlp."),
        (["--image-size", 0], "--image-size must be a whole number of at least 1, or HEIGHTxWIDTH"),
        (
            ["--image-size", 32, "--factors", "colour"],
            "Unknown factor 'colour'. Known: shape, size.",
        ),
        (["--image-size", 32, "--variant", "subset:9"], "cannot be larger. Received: count=9."),
        (["--image-size", 32, "--variant", "hidden:colour"], "Unknown factor 'colour'"),
        (["--image-size", 32, "--variant", "colour"], "images with one channel"),
        (["--image-size", 32, "--bins", "width=3"], "no factor 'width' to put into bins"),
        (["--image-size", 32, "--source", "official"], "The options --source, "),
        (["--image-size", 32, "--batch-size", 0], "--batch-size must be a whole number"),
        (["--image-size", 32, "--steps", 5, "--steps-per-execution", 2], "Received: --steps-per"),
    ],
)
def test_what_follows_from_headers_is_refused_before_pictures_are_decoded(
    pictures, capsys, monkeypatch, words, said
):
    from keras_devae.data.folders import pictures as store

    monkeypatch.setattr(store, "decode_pictures", lambda *_: pytest.fail("decoded"))
    assert run("train", "--dataset", f"folder:{pictures}", "--run", "r", *words) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
    assert not (pictures.parent / "runs").exists()


@pytest.mark.parametrize("kind", ["npz", "npy"])
@pytest.mark.parametrize(
    ("shape", "words", "said"),
    [
        ((6, 12, 20, 3), [], "Received: 12x20. Resize the images, or choose --network mlp."),
        ((6, 32, 32, 3), ["--image-size", 12], "Received: 12x12. Resize the images, or choose"),
        ((6, 3, 32, 32), [], "Channels come last"),
        ((6, 32), [], "Images must have shape"),
        ((6, 32, 32), ["--variant", "subset:7"], "cannot be larger"),
    ],
)
def test_headers_of_arrays_are_read_first(tmp_path, monkeypatch, capsys, kind, shape, words, said):
    from keras_devae.data.own import array_files

    monkeypatch.chdir(tmp_path)
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    np.savez("x.npz", images=images)
    np.save("x.npy", images)
    monkeypatch.setattr(array_files, "as_pixels", lambda *_, **__: pytest.fail("read"))
    assert run("train", "--dataset", f"{kind}:x.{kind}", *words) == 2
    assert said in capsys.readouterr().err


CONSTANT = "no factor has more than one value among the 8 of 8 images that are measured"


def make_constant(pictures):
    lines = [f"{number}.png,3,7" for number in range(8)]
    (pictures / "factors.csv").write_text("\n".join(["file,shape,size", *lines]))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--metrics", "mig"], f"Cannot compute mig: {CONSTANT}."),
        (["--metrics", "kl,dci,factor_vae_score"], "Cannot compute dci, factor_vae_score: no"),
        (["--track", "mig"], "Cannot compute mig: no factor"),
        (["--track", "information"], "Cannot track information: no factor"),
    ],
)
def test_constant_factors_are_known_before_training(pictures, capsys, monkeypatch, words, said):
    from keras_devae.data.folders import pictures as store

    make_constant(pictures)
    monkeypatch.setattr(store, "decode_pictures", lambda *_: pytest.fail("decoded"))
    dataset = ["--dataset", f"folder:{pictures}", "--image-size", 32]
    assert run("train", *dataset, *words) == 2
    assert said in capsys.readouterr().err


def test_few_images_to_measure_are_known_before_training(pictures, capsys):
    measured = draw_sample(8, 2, 0)
    odd = next(row for row in range(8) if row not in measured.rows)
    lines = [f"{row}.png,{row == odd:d},7" for row in range(8)]
    (pictures / "factors.csv").write_text("\n".join(["file,shape,size", *lines]))
    dataset = ["--dataset", f"folder:{pictures}", "--image-size", 32, "--evaluation-images", 2]
    assert run("train", *dataset, "--metrics", "mig", "--steps", 1) == 2
    error = capsys.readouterr().err
    assert "among the 2 of 8 images" in error and "more images with --evaluation-images" in error


def test_scores_of_constant_factors_are_left_out_with_a_warning(pictures, capsys, recwarn):
    make_constant(pictures)
    small = ["--network", "mlp", "--steps", 2, "--batch-size", 4, "--latent-dim", 2]
    dataset = ["--dataset", f"folder:{pictures}", "--image-size", 8]
    assert run("train", *dataset, *small, "--checkpoint-every", 2, "--run", "flat") == 0
    assert re.search(f"Left out: mig, because {CONSTANT}", capsys.readouterr().err)
    assert (pictures.parent / "runs" / "flat" / "report.html").is_file()
    assert run("evaluate", "runs/flat") == 0
    capsys.readouterr()
    assert run("evaluate", "runs/flat", "--metrics", "mig") == 2
    assert "Cannot compute mig" in capsys.readouterr().err


def test_what_is_logged_reads_as_other_messages():
    def shown(name, level, text):
        record = logging.LogRecord(name, level, "", 0, text, (), None)
        with click.Context(train):
            return _Sentences().format(record)

    assert shown("keras_devae", logging.WARNING, "Lower `betas`.") == "Warning: Lower --betas."
    assert shown("keras_devae.runs", logging.INFO, "The weights.") == "The weights."
    assert shown("other", logging.WARNING, "Lower `betas`.") == "Lower `betas`."
