"""Scores of any function from images to codes."""

import functools

import keras
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
    with pytest.raises(UsageError, match="nothing to score"):
        evaluate(channels, data.from_arrays(grid.images(range(300))))
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
        (lambda images: None, "one row of numbers per image. Received: None"),
        (lambda images: 3.0, "Received: 3.0"),
        (lambda images: {"z_mean": channels(images), "z_log_var": 3}, "Received: 3"),
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


def test_a_batch_is_filled_with_images(grid):
    def share_of_red(images):
        sums = images.sum(axis=(1, 2, 3)).astype(float)
        return (images[..., 0].sum(axis=(1, 2)) / sums)[:, None]

    lit = data.from_arrays(grid.images(range(300)) // 2 + 5, grid.factors(range(300)))
    assert evaluate(share_of_red, lit, ["mig"])["layers"]


def test_each_batch_is_asked_for_once(grid):
    calls = []

    def counted(images):
        calls.append(len(images))
        return channels(images)

    evaluate(counted, grid, ["mig", "factor_vae_score"], images=300)
    # The last batch is filled up.
    assert calls == [256, 256]


@pytest.mark.parametrize("as_dictionary", [False, True])
def test_codes_from_elsewhere_are_scored_like_those_of_a_function(grid, as_dictionary):
    codes = grid.factors(range(300)) * 20.0
    names = ["mig", "factor_vae_score"]
    known = {"z_mean": codes, "z_log_var": codes * 0} if as_dictionary else codes
    scores = evaluate(known, grid, names + ["kl"] * as_dictionary)
    expected = evaluate(channels, grid, names)["layers"][0]
    assert {name: scores["layers"][0][name] for name in expected} == pytest.approx(expected)
    assert scores["settings"]["encoder"]["name"] == "codes"
    with pytest.raises(UsageError, match="299 rows for 300 images"):
        evaluate(codes[1:], grid, names)


def test_results_name_the_encoder_and_versions(grid):
    encoder = evaluate(channels, grid, ["mig"])["settings"]["encoder"]
    assert encoder["name"].endswith("channels")
    assert encoder["versions"]["numpy"] == np.__version__
    named = FunctionEncoder(functools.partial(channels), name="means of channels")
    assert named.describe()["name"] == "means of channels"
    network = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten()], name="flat")
    assert FunctionEncoder(network.predict_on_batch).name == "flat.predict_on_batch"
    assert FunctionEncoder(network).name == "flat"
    assert FunctionEncoder(functools.partial(channels)).name == FunctionEncoder(channels).name


def test_latents_of_a_function(grid):
    latents = measure_latents(lambda images: channels(images) * [1, 0, 1], grid)
    assert sorted(latents.active) == [0, 2] and not latents.has_posterior
    assert [latents.factor_of(d) for d in range(3)] == ["a", None, "c"]
    assert np.isnan(latents.kl).all() and latents.measured == "codes"
    with pytest.raises(UsageError, match="no samples"):
        measure_latents(channels, grid, representation="sample")


def test_latents_of_a_posterior_are_those_of_its_divergences(grid):
    codes = grid.factors(range(300)) / 5
    latents = measure_latents({"z_mean": codes, "z_log_var": codes * 0 - 2}, grid)
    expected = 0.5 * (codes**2 + np.exp(-2.0) + 2.0 - 1).mean(axis=0)
    np.testing.assert_allclose(latents.kl, expected)
    assert latents.has_posterior
