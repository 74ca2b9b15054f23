"""What the progress report prints."""

import io
import re

import keras
import numpy as np
import pytest
from rich.console import Console

import keras_devae as kd
from keras_devae.callbacks import ProgressReport

pytestmark = pytest.mark.backends


def train_with(console, start_step=0):
    model = kd.VAE.for_images((8, 8, 1), latent_dim=2, network="mlp")
    model.compile(keras.optimizers.Adam(1e-3))
    images = np.random.default_rng(0).random((24, 8, 8, 1), dtype=np.float32)
    report = ProgressReport(total_steps=start_step + 6, start_step=start_step, console=console)
    model.fit(images, batch_size=8, epochs=2, verbose=0, callbacks=[report])


def test_a_line_an_epoch_where_there_is_no_terminal():
    text = io.StringIO()
    train_with(Console(file=text, width=200), start_step=100)
    lines = text.getvalue().splitlines()
    assert len(lines) == 2
    assert re.match(r"step 103/106  \d+\.\d steps/s  0:0\d left  loss \d+\.\d", lines[0])
    assert lines[1].startswith("step 106/106") and "kl " in lines[1]


def test_a_bar_in_a_terminal():
    text = io.StringIO()
    train_with(Console(file=text, width=200, force_terminal=True))
    assert "6/6" in text.getvalue() and "steps/s" in text.getvalue()
