"""Configurations in processes of their own."""

import subprocess

import keras
import numpy as np
import pytest

from keras_devae.runs.benchmark import BenchmarkSettings, run_benchmark


@pytest.mark.thorough
def test_a_process_that_is_killed_takes_no_other_along(tmp_path, monkeypatch):
    np.savez(tmp_path / "images.npz", images=np.zeros((16, 8, 8, 1), np.uint8))
    settings = BenchmarkSettings(
        backends=(keras.backend.backend(),),
        dataset=f"npz:{tmp_path / 'images.npz'}",
        network="mlp",
        batch_sizes=(2, 4),
        precisions=("off",),
        seconds=0.01,
        rounds=2,
    )
    started, start = [], subprocess.Popen

    def popen(*words, **options):
        started.append(start(*words, **options))
        return started[-1]

    def kill(text):
        # Between its answer and the next request.
        if "batch 2" in text and "train, round 2" in text:
            started[0].kill()
            started[0].wait()

    monkeypatch.setattr(subprocess, "Popen", popen)
    killed, other = run_benchmark(settings, kill)["rows"]
    assert "signal 9" in killed["failure"] and "encoding_images_per_second" not in killed
    assert "failure" not in other and other["encoding_images_per_second"]["median"] > 0
