"""What evaluation makes of a posterior that is known by samples only."""

import numpy as np
import pytest
from keras import ops

import keras_devae as kd
from keras_devae.errors import UsageError
from keras_devae.evaluation.encoding import Encoding
from keras_devae.evaluation.latents import information_of_layers
from keras_devae.metrics import METRICS
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.runs.tracking import check_tracked

pytestmark = pytest.mark.backends

POSTERIOR = ("kl", "active_variables", "elbo_decomposition")


@pytest.fixture
def squares(blobs):
    factors = np.stack(np.unravel_index(np.arange(64), (8, 8)), axis=1)
    return kd.data.from_arrays(blobs(64), factors)


def with_weights(model, scale):
    """A model whose flows have weights of some size; 0 makes it a VAE."""
    rng = np.random.default_rng(0)
    head = model.encoder.get_layer("flow_parameters")
    for weight in (*head.weights, *model.flows.weights):
        weight.assign(scale * rng.normal(size=weight.shape))
    # Codes that tell the images apart.
    kernel = model.encoder.get_layer("z_mean").kernel
    kernel.assign(5 * ops.convert_to_numpy(kernel))
    return model


@pytest.fixture
def moving(tiny):
    return with_weights(tiny("flow_vae"), 0.7)


def test_without_flows_scores_are_those_of_the_vae(tiny, squares):
    model, vae = with_weights(tiny("flow_vae"), 0.0), tiny("vae")
    for name in ("z_mean", "z_log_var"):
        vae.encoder.get_layer(name).set_weights(model.encoder.get_layer(name).get_weights())
    vae.decoder.set_weights(model.decoder.get_weights())
    flows, plain = (
        kd.evaluation.evaluate(each, squares, (*POSTERIOR, "mig", "reconstruction_error"))
        for each in (model, vae)
    )
    flows, plain = flows["layers"][0], plain["layers"][0]
    assert {"kl.total", "elbo_decomposition.kl", "elbo_decomposition.elbo"} <= set(flows)
    assert "elbo_decomposition.total_correlation" not in flows
    for name, value in flows.items():
        # The bounds differ by the noise of the single sample that each decodes.
        rel = 0.01 if name.endswith(".elbo") else 1e-4
        assert value == pytest.approx(plain[name], rel=rel), name


@pytest.mark.filterwarnings("ignore::keras_devae.metrics.MetricWarning")
def test_what_can_be_scored(moving, squares):
    scores = kd.evaluation.evaluate(moving, squares, "all", settings="fast")
    named = {key.split(".")[0] for key in scores["layers"][0]} - {"layer"}
    needs_density = {n for n in METRICS if "posterior" in METRICS[n].takes} - set(POSTERIOR)
    assert named == set(METRICS) - needs_density
    divergences = moving.sampled_posterior(moving.encoder_outputs(squares.images(range(64))))
    expected = divergences["divergence"].mean()
    assert scores["layers"][0]["kl.total"] == pytest.approx(expected, rel=1e-5)
    assert sum(scores["details"][0]["kl"]["per_dimension"]) < expected
    for name in needs_density:
        with pytest.raises(UsageError, match=f"Cannot compute {name}: there are no log-variances"):
            kd.evaluation.evaluate(moving, squares, (name,))


def test_samples_are_scored(moving, squares):
    mean, sample, again = (
        kd.evaluation.evaluate(moving, squares, ("mig",), representation=how)["layers"][0]
        for how in ("mean", "sample", "sample")
    )
    assert sample == again != mean


def test_kept_codes_are_read_again(moving, squares, tmp_path):
    rows, file = np.array([[5, 3], [8, 5]]), tmp_path / "codes.npz"
    first = Encoding(moving, squares)
    expected = [first.codes(rows, 0), first.codes(rows, 0, seed=1), first.divergences(rows)]
    first.save(file)
    second = Encoding(moving, squares)
    second.load(file)
    got = [second.codes(rows, 0), second.codes(rows, 0, seed=1), second.divergences(rows)]
    assert second.encoded_count == 0 and [each.shape for each in got] == [
        *((2, 2, 3), (2, 2, 3), (2, 2))
    ]
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    images = squares.images(rows.ravel())
    np.testing.assert_allclose(got[0].reshape(4, 3), moving.encode(images), atol=1e-5)
    assert not np.array_equal(got[0], got[1])
    assert Encoding(moving, squares).divergences(rows).shape == rows.shape


@pytest.mark.parametrize("representation", ["mean", "sample"])
def test_latents_are_measured(moving, squares, representation):
    latents = kd.evaluation.measure_latents(moving, squares, representation=representation)
    assert latents.has_posterior and len(latents.kl) == 3 and (latents.kl >= 0).all()
    assert latents.kl.sum() < latents.total_kl == latents.estimated_kl
    assert np.isfinite(latents.signal).all() and latents.representation == representation


def test_the_callback_follows_the_divergence(moving, squares):
    callback = kd.callbacks.KLCallback(squares, every_steps=1, images=64)
    (row,) = callback.measure(moving, 0)
    latents = kd.evaluation.measure_latents(moving, squares)
    assert row["total"] == pytest.approx(latents.total_kl, rel=1e-5)
    assert [row[f"z{d}"] for d in range(3)] == pytest.approx(latents.kl, rel=1e-4)


def test_what_needs_the_density_is_not_tracked():
    inputs = MODEL_CATALOGUE["flow_vae"].metric_inputs
    check_tracked(("kl", "sampled-information", "active_variables"), True, **inputs)
    with pytest.raises(UsageError, match="Cannot compute rmig"):
        check_tracked(("kl", "rmig"), True, **inputs)
    MODEL_CATALOGUE["flow_vae"].check_has_posterior("The figure 'kl'")


def test_information_of_layers_is_of_samples(moving, squares):
    information, _, names = information_of_layers(moving, squares)
    sampled = kd.evaluation.measure_latents(moving, squares, representation="sample")
    assert information.shape == (1, 3, 2) and len(names) == 2
    np.testing.assert_allclose(information[0], sampled.information)
