"""Scores of any function from images to codes."""

import numpy as np
import pytest

from keras_devae import data, metrics
from keras_devae.errors import UsageError
from keras_devae.evaluation import FunctionEncoder, evaluate, measure_latents


@pytest.fixture(scope="module")
def grid():
    factors = np.indices((5, 6, 10)).reshape(3, -1).T
    images = np.zeros((300, 8, 8, 3), np.uint8)
    images += (factors * 20).astype(np.uint8)[:, None, None, :]
    return data.from_arrays(images, factors, factor_names=("a", "b", "c"))


def channels(images):
    assert images.dtype == np.uint8 and len(images) == 256
    return images.mean(axis=(1, 2))


def test_scores_are_those_of_the_codes(grid):
    scores = evaluate(channels, grid, ["mig", "sap"])
    codes = channels(np.resize(grid.images(range(300)), (256, 8, 8, 3)))
    assert codes.shape == (256, 3)
    (row,) = scores["layers"]
    expected = metrics.mig(grid.factors(range(300)) * 20.0, grid.factors(range(300)))
    assert row["mig.score"] == expected["mig.score"] == pytest.approx(1.0)
    assert scores["settings"]["data"] == grid.provenance


def test_a_posterior_opens_its_metrics(grid):
    def posterior(images):
        codes = channels(images) / 100
        return {"z_mean": codes, "z_log_var": np.full(codes.shape, -2.0)}

    (row,) = evaluate(posterior, grid, ["kl"])["layers"]
    means = grid.factors(range(300)) / 5
    expected = 0.5 * (means**2 + np.exp(-2.0) + 2.0 - 1).mean(axis=0).sum()
    assert row["kl.total"] == pytest.approx(expected)


def test_what_a_function_lacks_is_refused_and_left_out_of_the_default(grid):
    with pytest.raises(UsageError, match="Cannot compute kl"):
        evaluate(channels, grid, ["kl"])
    with pytest.raises(UsageError, match="no samples"):
        evaluate(channels, grid, ["mig"], representation="sample")
    (row,) = evaluate(channels, grid)["layers"]
    assert set(row) == {"layer", "mig.score"}


@pytest.mark.parametrize(
    "function, message",
    [
        (lambda images: images[:3, 0, 0], "3 rows for 256 images"),
        (lambda images: images, "one column per variable"),
        (lambda images: {"y": images, "z": images}, "`z_mean`"),
        (lambda images: channels(images) * np.nan, "finite"),
        (3, "function of images"),
    ],
)
def test_wrong_functions_are_refused(grid, function, message):
    with pytest.raises(UsageError, match=message):
        evaluate(function, grid, ["mig"])


def test_a_single_entry_and_bfloat16_are_read(grid):
    from ml_dtypes import bfloat16

    (row,) = evaluate(lambda images: {"output_0": channels(images)}, grid, ["mig"])["layers"]
    assert row["mig.score"] == pytest.approx(1.0)
    found = FunctionEncoder(lambda images: images[:, 0, 0].astype(bfloat16))
    means, _ = found.encoder_posterior(grid.images(range(256)))
    np.testing.assert_array_equal(means, grid.images(range(256))[:, 0, 0])


def test_continuous_factors_of_a_data_set_are_scored_by_what_was_measured(grid):
    values = np.random.default_rng(0).random((300, 1))
    images = np.zeros((300, 8, 8, 3), np.uint8)
    images += (values * 255).astype(np.uint8)[:, None, None, :]
    measured = data.from_arrays(
        images, values, factor_names=("size",), factor_kinds={"size": "continuous"}
    )
    assert measured.continuous_factors == ("size",)
    scores = evaluate(lambda images: images[:, 0, 0, :1], measured, ["sap", "mig"], estimator="knn")
    (row,) = scores["layers"]
    assert row["sap.score"] > 0.99 and row["mig.score"] > 0.95
    assert scores["settings"]["metrics"]["sap"]["continuous"] == {"size": "native"}


def test_latents_are_measured_of_models_alone(grid):
    with pytest.raises(UsageError, match="FunctionEncoder"):
        measure_latents(FunctionEncoder(channels), grid)
