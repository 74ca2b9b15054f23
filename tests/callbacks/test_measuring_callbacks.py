"""The callbacks that measure a model while plain `fit` trains it."""

import csv
import sys
import warnings

import keras
import numpy as np
import pytest
from PIL import Image

import keras_devae as kd
from keras_devae import data, metrics
from keras_devae.callbacks import (
    InformationCallback,
    KLCallback,
    MetricsCallback,
    SampledInformationCallback,
    TraversalCallback,
)
from keras_devae.errors import FailureError, UsageError

pytestmark = pytest.mark.backends


@pytest.fixture(scope="module")
def squares():
    """A data set of 8x8 images of a square at 5x5 places; a third factor never varies."""
    factors = np.column_stack([np.indices((5, 5)).reshape(2, -1).T, np.zeros((25, 1), int)])
    images = np.zeros((25, 8, 8, 1), np.uint8)
    for image, (row, column, _) in zip(images, factors, strict=True):
        image[row : row + 4, column : column + 4] = 255
    return data.from_arrays(images, factors, factor_names=("row", "column", "colour"))


def steps_of(callback):
    return [row["step"] for row in callback.rows]


def table(file):
    with file.open(newline="") as stream:
        return list(csv.DictReader(stream))


def fit(model, squares, *callbacks, steps=10, epochs=1, **options):
    batches = squares.batches(8, steps=steps, seed=0)
    model.fit(batches, epochs=epochs, verbose=0, callbacks=list(callbacks), **options)


def information_of(squares, *arguments, **options):
    """Makes the callback, which warns of the factor that never varies."""
    with pytest.warns(metrics.MetricWarning, match=r"single value.*colour\.$"):
        return InformationCallback(squares, *arguments, **options)


def test_few_images_are_warned_of_once(tiny, squares):
    callback = MetricsCallback(squares, ["kl", "mig"], every_steps=4, settings="fast")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("always", metrics.FewSamplesWarning)
        fit(tiny(), squares, callback, steps=10)
    assert len(steps_of(callback)) == 4
    found = [str(one.message) for one in caught if one.category is metrics.FewSamplesWarning]
    assert len(found) == 1 and found[0].startswith(f"Few samples: {len(squares)} rows")


def test_measures_before_within_and_after_an_epoch(tiny, squares):
    callback = KLCallback(squares, every_steps=4)
    fit(tiny(), squares, callback, steps=10, epochs=1)
    assert steps_of(callback) == [0, 4, 8, 10]


def test_steps_go_on_over_epochs_and_calls_of_fit(tiny, squares):
    model, callback = tiny(), KLCallback(squares, every_steps=4)
    information = information_of(squares, every_steps=4)
    fit(model, squares, callback, information, steps=3, epochs=2)
    assert steps_of(callback) == [0, 4, 6]
    fit(model, squares, callback, information, steps=3, epochs=1)
    assert steps_of(callback) == steps_of(information) == [0, 4, 6, 8, 9]
    assert information.information.shape == (5, 3, 2)


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="one step at a time on PyTorch")
def test_several_steps_an_execution(tiny, squares):
    model = tiny(compile_options={"steps_per_execution": 3})
    callback = KLCallback(squares, every_steps=4)
    fit(model, squares, callback, steps=12)
    assert steps_of(callback) == [0, 6, 9, 12]


def test_within_an_epoch_the_weights_are_the_current_ones(tiny, squares):
    """On JAX they are elsewhere during an epoch, unless one asks for them."""
    whole, halves = KLCallback(squares, every_steps=5), KLCallback(squares, every_steps=5)
    fit(tiny(betas=(0.1, 0.2)), squares, whole, steps=10, epochs=1)
    fit(tiny(betas=(0.1, 0.2)), squares, halves, steps=5, epochs=2)
    totals = [row["total"] for row in whole.rows]
    np.testing.assert_allclose(totals, [row["total"] for row in halves.rows], rtol=1e-4)
    assert len(set(totals)) == 3


def test_measuring_does_not_change_training(tiny, squares, tmp_path):
    losses = []
    for callbacks in (
        [],
        [
            MetricsCallback(squares, ["kl", "reconstruction_error"], 3, layers=None),
            information_of(squares, 3),
            TraversalCallback(squares, 3, directory=tmp_path),
        ],
    ):
        model = tiny()
        fit(model, squares, *callbacks, epochs=2)
        losses.append(model.history.history["loss"])
    assert losses[0] == losses[1]


def test_metrics_are_those_of_the_model(tiny, squares, tmp_path):
    model = tiny()
    callback = MetricsCallback(squares, "mig", 100, layers=(0, 2), directory=tmp_path)
    with pytest.warns(metrics.MetricWarning, match="colour"):
        fit(model, squares, callback)
    assert [(row["step"], row["layer"]) for row in callback.rows] == [
        (0, 0),
        (0, 2),
        (10, 0),
        (10, 2),
    ]
    with pytest.warns(metrics.MetricWarning, match="colour"):
        scores = metrics.mig(
            model.encode(squares.images(range(25))),
            squares.factors(range(25)),
            factor_names=squares.factor_names,
        )
    assert callback.rows[2]["mig.score"] == scores["mig.score"]
    written = table(tmp_path / "metrics.csv")
    assert [float(row["mig.score"]) for row in written] == [
        row["mig.score"] for row in callback.rows
    ]


class Collapsed:
    """Stands for a model whose second dimension is noise; its first tells the row of a square."""

    def encode(self, images, layer, sample, seed):
        assert sample and layer == 1
        rows = images[..., 0].any(axis=2).argmax(axis=1)
        return np.column_stack([rows, np.random.default_rng(seed).normal(size=len(rows))])


def test_chance_tells_nothing_of_a_factor(squares):
    with pytest.warns(metrics.MetricWarning, match="colour"):
        callback = SampledInformationCallback(squares, layer=1)
    (row,) = callback.measure(Collapsed(), 0)
    information = callback.information[0]
    # Of 25 samples in 20 bins, noise shows 1.2 of the 1.6 nats that there are.
    assert information[1].max() < 0.35 and information[0, 1] < 0.35
    assert information[0, 0] > 1.1 and row["row.latent"] == 0
    assert (information >= 0).all()


def test_information_says_which_latent_holds_which_factor(tiny, squares, tmp_path):
    model, callback = tiny(), information_of(squares, 5, directory=tmp_path)
    fit(model, squares, callback)
    assert callback.factor_names == ["row", "column"]
    assert callback.information.shape == (3, 3, 2)
    codes = model.encode(squares.images(range(25)))
    expected = metrics.mutual_information_matrix(codes, squares.factors(range(25))[:, :2])
    np.testing.assert_allclose(callback.information[-1], expected, atol=1e-6)
    last = callback.rows[-1]
    assert last["row"] == pytest.approx(expected[:, 0].max(), abs=1e-6)
    assert last["column.latent"] == callback.information[-1][:, 1].argmax()
    np.testing.assert_allclose(callback.entropies, np.log(5))
    with np.load(tmp_path / "information.npz") as stored:
        np.testing.assert_array_equal(stored["information"], callback.information)
        assert stored["steps"].tolist() == [0, 5, 10]
        assert stored["factor_names"].tolist() == ["row", "column"]
    with Image.open(tmp_path / "information.png") as picture:
        assert np.asarray(picture).std() > 0


def test_kl_by_dimension_adds_up(tiny, squares, tmp_path):
    model, callback = tiny(), KLCallback(squares, 5, directory=tmp_path)
    fit(model, squares, callback)
    last = callback.rows[-1]
    posterior = model.posterior(squares.images(range(25)))
    np.testing.assert_allclose(
        [last[f"z{d}"] for d in range(3)], metrics.kl_per_dimension(*posterior), rtol=1e-5
    )
    assert last["total"] == pytest.approx(sum(last[f"z{d}"] for d in range(3)))
    expected = metrics.active_variables(*posterior)["active_variables.count"]
    assert last["active_units"] == expected
    assert (tmp_path / "kl.png").stat().st_size > 1000


def test_a_collapse_is_said_once(squares):
    model = kd.BetaVAE.for_images((8, 8, 1), latent_dim=2, beta=1000.0, network="mlp", seed=0)
    model.compile(keras.optimizers.Adam(1e-2))
    callback = KLCallback(squares, every_steps=40)
    with pytest.warns(UserWarning, match="collapsed to the prior") as record:
        fit(model, squares, callback, steps=80)
    assert sum("collapsed" in str(warning.message) for warning in record) == 1
    assert callback.rows[-1]["active_units"] == 0


def test_little_at_the_start_is_no_collapse(tiny, squares):
    fit(tiny(), squares, KLCallback(squares, every_steps=100), steps=4)


def test_traversals_are_drawn_at_their_steps(tiny, squares, tmp_path):
    fit(tiny(), squares, TraversalCallback(squares, 5, directory=tmp_path))
    names = sorted(file.name for file in tmp_path.iterdir())
    assert names == [f"traversal-step-{step:08d}.png" for step in (0, 5, 10)]


def test_a_run_that_goes_on_draws_no_more_than_one_that_was_not_stopped(tiny, squares, tmp_path):
    for start, drawn in ((5, [6, 7]), (0, [0, 2])):
        callback = TraversalCallback(squares, 3, directory=tmp_path / str(start))
        callback.start_step = start
        fit(tiny(), squares, callback, steps=2)
        files = [f"traversal-step-{step:08d}.png" for step in drawn]
        assert sorted(file.name for file in (tmp_path / str(start)).iterdir()) == files


def test_damaged_matrices_name_the_remedy(tiny, squares, tmp_path):
    file = tmp_path / "information.npz"
    file.write_bytes(b"PK" + bytes(100))
    callback = information_of(squares, 5, directory=tmp_path)
    with pytest.raises(FailureError, match=r"information\.npz is not a complete .* --repair"):
        fit(tiny(), squares, callback)


def test_a_run_that_goes_on_keeps_the_rows_up_to_its_step(tiny, squares, tmp_path):
    whole = information_of(squares, 4, directory=tmp_path / "whole")
    fit(tiny(), squares, whole, steps=12)
    model = tiny()
    broken = information_of(squares, 4, directory=tmp_path / "broken")
    fit(model, squares, broken, steps=8)
    model.save(tmp_path / "m.keras")
    fit(model, squares, broken, steps=2)
    resumed = information_of(squares, 4, directory=tmp_path / "broken")
    model = keras.models.load_model(tmp_path / "m.keras")
    batches = squares.batches(8, steps=4, seed=0, start_step=8)
    model.fit(batches, verbose=0, callbacks=[resumed])
    assert steps_of(resumed) == steps_of(whole) == [0, 4, 8, 12]
    np.testing.assert_allclose(resumed.information, whole.information, atol=1e-6)
    assert resumed.information.shape == (4, 3, 2)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the same on every backend")
def test_tensorboard_gets_scalars_and_pictures(tiny, squares, tmp_path):
    from tensorboardX.proto.event_pb2 import Event

    fit(
        tiny(),
        squares,
        KLCallback(squares, 5, tensorboard=tmp_path),
        information_of(squares, 5, tensorboard=tmp_path),
        TraversalCallback(squares, 5, tensorboard=tmp_path),
    )
    tags = set()
    for file in tmp_path.glob("events.*"):
        content = file.read_bytes()
        while content:
            length = int.from_bytes(content[:8], "little")
            event = Event.FromString(content[12 : 12 + length])
            tags |= {value.tag for value in event.summary.value}
            content = content[12 + length + 4 :]
    assert {"kl/total", "kl/active_units", "kl/z0", "information/row"} <= tags
    assert {"traversal", "kl", "information"} <= tags


def test_tensorboard_that_is_not_installed_is_said(squares, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(UsageError, match=r"pip install 'keras-devae(-core)?\[tensorboard\]'"):
        KLCallback(squares, tensorboard=tmp_path)


def test_wrong_requests_are_refused_when_they_are_made(squares):
    plain = data.from_arrays(squares.images(range(25)))
    still = data.from_arrays(squares.images(range(25)), np.zeros((25, 2), int))
    for make, message in (
        (lambda: MetricsCallback(squares, ["migg"]), "Did you mean 'mig'"),
        (lambda: MetricsCallback(plain, ["mig"]), "no ground-truth factors"),
        (lambda: MetricsCallback(squares, every_steps=0), "`every_steps` must be"),
        (lambda: MetricsCallback(squares, images=1), "`images` must be"),
        (lambda: MetricsCallback(squares, settings="slow"), "Unknown settings 'slow'"),
        (lambda: InformationCallback(plain), "compares codes with factors.*has none"),
        (lambda: InformationCallback(squares, bins=1), "`bins` must be"),
        (lambda: InformationCallback(still), "At least one factor must take two values"),
    ):
        with pytest.raises(UsageError, match=message):
            make()
