"""The measurements of one training."""

import json
import subprocess
import sys

import numpy as np
import pytest

from keras_devae.runs import RunConfig

pytestmark = pytest.mark.backends


@pytest.fixture
def short(tmp_path):
    """The settings of a training of two steps."""
    file = tmp_path / "images.npz"
    np.savez(file, images=np.zeros((16, 8, 8, 1), np.uint8))
    return RunConfig(
        dataset=f"npz:{file}", network="mlp", batch_size=4, steps=2, checkpoint_every=2
    )


def test_training_goes_on_until_the_script_ends(short, float32_policy):
    from keras_devae.runs.benchmark.measuring import Bench

    bench = Bench(short, "off", 0.01)
    counts = []
    bench.train(counts.append(number) for number in range(7))
    assert len(counts) == 7


def test_pairs_count_as_two_images(short, tmp_path, float32_policy):
    from keras_devae.runs.benchmark.measuring import Bench

    factors = np.stack(np.unravel_index(np.arange(16), (4, 4)), axis=1)
    np.savez(tmp_path / "pairs.npz", images=np.zeros((16, 8, 8, 1), np.uint8), factors=factors)
    pairs = short.replace(dataset=f"npz:{tmp_path / 'pairs.npz'}", model="ada_gvae")
    single, double = (Bench(c, "off", 0.01) for c in (short.replace(model="vae"), pairs))
    for bench in (single, double):
        bench.train(iter(range(2)))
    assert double.batches[0][0].shape == (4, 2, 8, 8, 1)
    one, two = single.facts(), double.facts()
    assert (one["images_per_step"], two["images_per_step"]) == (4, 8)
    assert two["step_gigaflop"] == pytest.approx(2 * one["step_gigaflop"])


def answers(config, words):
    """What a process that is told words answers."""
    given = {"config": config.to_dict(), "precision": "off", "seconds": 0.01}
    process = subprocess.run(
        [sys.executable, "-m", "keras_devae.runs.benchmark.worker", json.dumps(given)],
        input="".join(f"{word}\n" for word in words),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in process.stdout.splitlines()]


def test_every_word_has_an_answer(short):
    ready, trained, encoded, failed = answers(short, ["train", "stop", "encode", "train"])
    assert ready["settings"] and trained["steps_per_second"] > 0
    assert encoded["encoding_images_per_second"] > 0
    assert "train" in failed["failure"]
