"""DEFT: which gradients reach which group of encoders, stage after stage."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_devae import DEFT, BetaVAE
from keras_devae.networks import mlp_decoder, mlp_encoder

pytestmark = pytest.mark.backends

BETAS = (70, 30, 15, 1)


def groups_of(model, count):
    """The encoder's variables of every group: `(trunk, head of means, head of log-variances)`."""
    layers = [layer for layer in model.encoder.layers if layer.weights]
    heads = [layer for layer in layers if layer.name.startswith("z_")]
    trunks = [layer for layer in layers if layer not in heads]
    assert len(trunks) == count and len(heads) == 2 * count
    return [
        [*trunks[i].variables, *heads[i].variables, *heads[count + i].variables]
        for i in range(count)
    ]


def snapshot(variables):
    return [np.array(ops.convert_to_numpy(v)) for v in variables]


def unchanged(before, after):
    return [np.array_equal(a, b) for a, b in zip(before, after, strict=True)]


def with_sgd(model, rate=1e-3):
    model.compile(keras.optimizers.SGD(rate))
    return model


def test_pressure_falls_from_stage_to_stage(tiny, blobs):
    model, images = tiny("deft", latent_dim=4, betas=BETAS, stage_steps=2), blobs(8)
    history = model.fit(images, batch_size=4, epochs=5, validation_data=images, verbose=0).history
    assert history["stage"] == [0, 1, 2, 3, 3]
    assert history["beta"] == [70, 30, 15, 1, 1]
    assert history["val_beta"] == [30, 15, 1, 1, 1]
    for beta, *losses in zip(
        *(history[f"val_{name}"] for name in ("beta", "reconstruction_loss", "kl_loss", "loss")),
        strict=True,
    ):
        assert losses[0] + beta * losses[1] == pytest.approx(losses[2], rel=1e-5)


def test_only_the_stages_group_learns(tiny, blobs):
    model = with_sgd(tiny("deft", latent_dim=6, betas=BETAS, stage_steps=3), 1e-4)
    images = blobs(12)
    groups = groups_of(model, 4)
    rest = [*model.scaling.trainable_variables, *model.decoder.trainable_variables]
    for stage in range(5):
        before = [snapshot(group) for group in groups], snapshot(rest)
        model.fit(images, batch_size=4, verbose=0)
        for i, (group, old) in enumerate(zip(groups, before[0], strict=True)):
            active = i == min(stage, 3)
            assert set(unchanged(old, snapshot(group))) == {not active}, (stage, i)
        assert not any(unchanged(before[1], snapshot(rest)))


def test_later_groups_wait_under_adam_too(tiny, blobs):
    model = tiny("deft", latent_dim=4, betas=BETAS, stage_steps=3)
    groups = groups_of(model, 4)
    initial = [snapshot(group) for group in groups]
    for stage in range(4):
        model.fit(blobs(12), batch_size=4, verbose=0)
        waiting = [all(unchanged(a, snapshot(b))) for a, b in zip(initial, groups, strict=True)]
        assert waiting == [i > stage for i in range(4)]


def test_scaled_gradients_are_shares_of_the_whole(tiny, blobs):
    """With plain gradient descent a quarter of the gradient is a quarter of the step."""
    steps = {}
    for scale in (0.25, 1.0):
        model = with_sgd(tiny("deft", latent_dim=4, betas=(2, 1), gradient_scale=scale))
        groups = groups_of(model, 2)
        before = [snapshot(group) for group in groups]
        model.train_on_batch(blobs(8))
        steps[scale] = [
            [new - old for old, new in zip(olds, snapshot(group), strict=True)]
            for olds, group in zip(before, groups, strict=True)
        ]
    for i, share in ((0, 1.0), (1, 0.25)):
        for got, whole in zip(steps[0.25][i], steps[1.0][i], strict=True):
            assert np.abs(whole).max() > 1e-5
            np.testing.assert_allclose(got, share * whole, rtol=1e-2, atol=2e-7)


def test_whole_gradients_are_those_of_beta_vae(blobs):
    weights = []
    for model_class, options in (
        (DEFT, {"betas": (6, 6, 6), "gradient_scale": 1}),
        (BetaVAE, {"beta": 6}),
    ):
        model = with_sgd(
            model_class(
                mlp_encoder((8, 8, 1), 3, units=(12,), seed=1, groups=3),
                mlp_decoder(3, (8, 8, 1), units=(12,), seed=2),
                seed=0,
                **options,
            )
        )
        model.train_on_batch(blobs(8))
        weights.append(snapshot([*model.encoder.variables, *model.decoder.variables]))
    for got, expected in zip(*weights, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("latent_dim", "sizes"), [(10, [3, 3, 2, 2]), (4, [1] * 4), (2, [1, 1]), (1, [1])]
)
def test_sizes_of_the_groups(tiny, latent_dim, sizes):
    model = tiny("deft", latent_dim=latent_dim, betas=BETAS)
    # The head of the means: its bias is as wide as the group.
    widths = [group[3].shape[0] for group in groups_of(model, len(sizes))]
    assert widths == sizes
    assert model.latent_dim == latent_dim


def test_groups_of_the_encoder_are_those_of_the_gradient(tiny, blobs):
    """Only the dimensions of the active group move when all of its encoder's variables do."""
    model = with_sgd(tiny("deft", latent_dim=10, betas=BETAS, stage_steps=1), 1e-2)
    images = blobs(8)
    for columns in (slice(0, 3), slice(3, 6), slice(6, 8), slice(8, 10)):
        # Of the encoder alone, for the scalings move always.
        before = model.encoder.predict(images / np.float32(255), verbose=0)["z_mean"]
        model.train_on_batch(images)
        after = model.encoder.predict(images / np.float32(255), verbose=0)["z_mean"]
        moved = np.abs(after - before).max(0) > 0
        expected = np.zeros(10, bool)
        expected[columns] = True
        np.testing.assert_array_equal(moved, expected)


def test_fewer_dimensions_than_stages_learn_in_all_of_them(tiny, blobs):
    model = tiny("deft", latent_dim=1, betas=BETAS, stage_steps=1)
    (group,) = groups_of(model, 1)
    for _ in BETAS:
        before = snapshot(group)
        model.train_on_batch(blobs(8))
        assert not any(unchanged(before, snapshot(group)))


def test_learned_scales_apply_to_the_posterior(tiny, blobs):
    model, images = tiny("deft", latent_dim=3, betas=(2, 1)), blobs(5)
    encoded = model.encoder.predict(images / np.float32(255), verbose=0)
    for got, name in zip(model.posterior(images), ("z_mean", "z_log_var"), strict=True):
        np.testing.assert_allclose(got, encoded[name], rtol=1e-5, atol=1e-6)
    scales = np.float32([2.0, 0.5, 3.0])
    model.scaling.mean_log_scale.assign(np.log(scales)[None])
    model.scaling.std_log_scale.assign(np.log(scales)[None])
    mean, log_var = model.posterior(images)
    np.testing.assert_allclose(mean, scales * encoded["z_mean"], rtol=1e-5, atol=1e-6)
    deviations = scales * np.exp(encoded["z_log_var"] / 2)
    np.testing.assert_allclose(np.exp(log_var / 2), deviations, rtol=1e-5)
    outputs = model.predict(images, verbose=0)
    np.testing.assert_allclose(outputs["z_log_var"], log_var, rtol=1e-5, atol=1e-6)
    # The divergence counted is the scaled posterior's.
    kl = 0.5 * (mean**2 + np.exp(log_var) - 1 - log_var).sum(1).mean()
    assert model.evaluate(images, verbose=0, return_dict=True)["kl_loss"] == pytest.approx(
        kl, rel=1e-5
    )
