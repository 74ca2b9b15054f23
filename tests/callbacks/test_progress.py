"""What the progress report prints."""

import io
import itertools
import math
import re

import keras
import numpy as np
import pytest
from rich.console import Console

import keras_devae as kd
from keras_devae.callbacks import ProgressReport
from keras_devae.callbacks import progress as progress_module
from keras_devae.callbacks.progress import number_text, shown_names, time_text
from keras_devae.errors import UsageError

pytestmark = pytest.mark.backends


def train_with(console, start_step=0, model_class=kd.VAE, show=(), **options):
    model = model_class.for_images((8, 8, 1), latent_dim=2, network="mlp", **options)
    model.compile(keras.optimizers.Adam(1e-3))
    images = np.random.default_rng(0).random((24, 8, 8, 1), dtype=np.float32)
    report = ProgressReport(
        total_steps=start_step + 6, start_step=start_step, console=console, show=show
    )
    model.fit(images, batch_size=8, epochs=2, verbose=0, callbacks=[report])


NUMBERS = r"loss \d+\.\d+  recon \d+\.\d+  KL \d+\.\d+"


def test_a_few_lines_where_there_is_no_terminal():
    text = io.StringIO()
    train_with(Console(file=text, width=40), start_step=100)
    first, last = text.getvalue().splitlines()
    assert re.fullmatch(rf"step 103/106  \d+\.\d steps/s  0:0\d left  {NUMBERS}", first)
    assert re.fullmatch(rf"step 106/106  in 0:0\d  {NUMBERS}", last)


def test_a_log_does_not_grow_with_the_number_of_epochs(monkeypatch):
    """Epochs of four seconds: a line at the first, then after ten seconds and a tenth of all."""
    text, clock = io.StringIO(), itertools.count(0, 4)
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: next(clock))
    report = ProgressReport(total_steps=1000, console=Console(file=text))
    report.set_model(kd.VAE.for_images((8, 8, 1), latent_dim=2, network="mlp"))
    report.on_train_begin()
    for epoch in range(1000):
        report.on_train_batch_end(0, {"loss": 1.0})
        report.on_epoch_end(epoch)
    steps = [int(line.split()[1].split("/")[0]) for line in text.getvalue().splitlines()]
    assert steps[:4] == [1, 4, 7, 10] and steps[-1] == 1000
    assert len(steps) < 60


def test_other_values_are_shown_on_request():
    text = io.StringIO()
    options = {"capacity_max": 12.0, "capacity_steps": 12, "show": ["capacity"]}
    train_with(Console(file=text, width=200), model_class=kd.AnnealedVAE, **options)
    # The last of six steps is taken at a capacity of five twelfths of 12 nats.
    assert text.getvalue().splitlines()[-1].endswith("  capacity 5.000")
    with pytest.raises(UsageError, match="Did you mean 'capacity'"):
        train_with(Console(file=text), model_class=kd.AnnealedVAE, show=["capacitty"])


def test_each_kind_of_model_shows_what_matters():
    def shown(name, show=()):
        return shown_names(kd.models.MODELS[name], show)

    assert shown("devae") == shown("factor_vae") == ["loss", "reconstruction_loss", "kl_loss"]
    assert shown("info_gan") == ["generator_loss", "discriminator_loss", "information_loss"]
    assert shown("qlae")[2] == "quantization_loss" and shown("byol") == ["loss", "spread"]
    assert shown("factor_vae", ["all"])[3:5] == ["total_correlation_loss", "discriminator_loss"]
    assert shown("control_vae", ["beta"])[3:] == ["beta"]
    for name, model in kd.models.MODELS.items():
        if not model.declaration.fitted:
            assert len(shown(name)) <= 3 and set(shown(name)) <= set(shown(name, ["all"]))


@pytest.mark.parametrize("width", [24, 40, 60, 80, 120])
def test_one_line_in_a_terminal(width):
    text = io.StringIO()
    train_with(Console(file=text, width=width, force_terminal=True), start_step=10_000)
    lines = re.split(r"[\r\n]+", re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", text.getvalue()))
    assert max(map(len, lines)) < width
    last = [line for line in lines if line.strip()][-1]
    assert "10006/10006  in 0:0" in last and ("100%" in last) == (width >= 80)
    assert {"━" in line for line in lines if "loss" in line} <= {width >= 120}
    if width >= 80:
        assert re.search(f"in 0:0\\d  {NUMBERS}$", last)


@pytest.mark.parametrize(
    ("value", "text"),
    [(399.53, "399.5"), (0.01234, "0.0123"), (0, "0.000"), (12345.6, "12,346"), (math.nan, "nan")],
)
def test_numbers_have_about_four_digits(value, text):
    assert number_text(value) == text


def test_times_are_short():
    assert [time_text(seconds) for seconds in (59.6, 3845)] == ["1:00", "1:04:05"]


def test_an_interrupted_bar_gives_the_cursor_back(tmp_path, monkeypatch):
    from keras_devae import data
    from keras_devae.models.fitting import carried_out
    from keras_devae.runs import RunConfig, RunDirectory, training
    from keras_devae.runs.compute import completed_config
    from keras_devae.runs.recorder import RunRecorder

    text = io.StringIO()
    console = Console(file=text, width=200, force_terminal=True)
    report = training.ProgressReport
    monkeypatch.setattr(
        training,
        "ProgressReport",
        lambda *given, **options: report(*given, console=console, **options),
    )

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
