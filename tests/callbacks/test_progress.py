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


def train_with(console, start_step=0, model_class=kd.VAE, **options):
    model = model_class.for_images((8, 8, 1), latent_dim=2, network="mlp", **options)
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


def test_what_schedules_move_is_shown():
    text = io.StringIO()
    options = {"capacity_max": 12.0, "capacity_steps": 12}
    train_with(Console(file=text, width=200), model_class=kd.AnnealedVAE, **options)
    # The last of six steps is taken at a capacity of five twelfths of 12 nats.
    assert text.getvalue().splitlines()[-1].endswith("capacity 5")


def test_a_bar_in_a_terminal():
    text = io.StringIO()
    train_with(Console(file=text, width=200, force_terminal=True))
    assert "6/6" in text.getvalue() and "steps/s" in text.getvalue()


def test_an_interrupted_bar_gives_the_cursor_back(tmp_path, monkeypatch):
    from keras_devae import data
    from keras_devae.models.fitting import carried_out
    from keras_devae.runs import RunConfig, RunDirectory, training
    from keras_devae.runs.compute import completed_config
    from keras_devae.runs.recorder import RunRecorder

    text = io.StringIO()
    console = Console(file=text, width=200, force_terminal=True)
    report = training.ProgressReport
    monkeypatch.setattr(training, "ProgressReport", lambda *given: report(*given, console=console))

    def interrupt(self, batch, logs=None):
        raise KeyboardInterrupt

    monkeypatch.setattr(RunRecorder, "on_train_batch_end", interrupt)
    dataset = data.load("dsprites", source="rendered", image_size=32)
    config = completed_config(RunConfig(batch_size=4).resolved(dataset), dataset)
    model = training.build_model(config, dataset)
    with pytest.raises(KeyboardInterrupt):
        carried_out(
            training.train_in_parts(model, config, RunDirectory.create(tmp_path / "run"), dataset)
        )
    hide, show = "\x1b[?25l", "\x1b[?25h"
    assert text.getvalue().rfind(show) > text.getvalue().rfind(hide) >= 0
