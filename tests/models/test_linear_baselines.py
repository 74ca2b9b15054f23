"""PCA and ICA against scikit-learn and closed forms."""

import itertools
import json

import keras
import numpy as np
import pytest
import sklearn.decomposition

from keras_devae import ICA, PCA
from keras_devae.errors import UsageError
from keras_devae.input.batches import Batches
from keras_devae.networks import linear_decoder, linear_encoder, mlp_decoder

pytestmark = pytest.mark.backends

METHODS = ("pca", "ica")
SHAPE = (4, 4, 1)


@pytest.fixture(scope="module")
def images():
    """200 float images of correlated pixels whose components have clearly different variances."""
    rng = np.random.default_rng(0)
    directions = np.linalg.qr(rng.normal(size=(16, 16)))[0] * np.geomspace(3, 0.05, 16)
    return (0.5 + rng.normal(size=(200, 16)) @ directions.T).astype("float32").reshape(-1, *SHAPE)


def fitted(method, images, latent_dim=4, **options):
    model = {"pca": PCA, "ica": ICA}[method].for_images(
        images.shape[1:], latent_dim, seed=0, **options
    )
    model.compile()
    model.fit(images, verbose=0)
    return model


@pytest.mark.parametrize("method", METHODS)
def test_codes_of_an_unfitted_model_are_refused(method, images, tmp_path):
    model = {"pca": PCA, "ica": ICA}[method].for_images(SHAPE, 2)
    for use in (
        lambda: model.encode(images),
        lambda: model.posterior(images, layer=None),
        lambda: model.sample(3),
        model.encoder_model,
        lambda: model.export_encoder(tmp_path / "encoder"),
    ):
        with pytest.raises(UsageError, match=r"is not fitted.*Call `fit`"):
            use()


def test_pca_is_that_of_scikit_learn(images):
    model, flat = fitted("pca", images), images.reshape(len(images), -1).astype("float64")
    reference = sklearn.decomposition.PCA(4, whiten=True).fit(flat)
    codes, expected = model.encode(images), reference.transform(flat)
    signs = np.sign((codes * expected).sum(0))
    np.testing.assert_allclose(codes, signs * expected, atol=2e-4)
    np.testing.assert_allclose(
        model.reconstruct(images).reshape(len(flat), -1),
        reference.inverse_transform(expected),
        atol=2e-4,
    )
    # New images, and codes of the user.
    np.testing.assert_allclose(
        model.encode(3 * images[:5]), signs * reference.transform(3 * flat[:5]), atol=1e-3
    )
    z = np.random.default_rng(1).normal(size=(5, 4)).astype("float32")
    np.testing.assert_allclose(
        model.decode(z).reshape(5, -1), reference.inverse_transform(signs * z), atol=2e-4
    )


@pytest.mark.parametrize("method", METHODS)
def test_codes_are_uncorrelated_of_mean_0_and_variance_1(images, method):
    codes = fitted(method, images).encode(images)
    np.testing.assert_allclose(codes.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(np.cov(codes.T), np.eye(4), atol=1e-2)


def test_error_is_the_sum_of_the_eigenvalues_left_out(images):
    flat = images.reshape(len(images), -1).astype("float64")
    eigenvalues = np.linalg.eigvalsh(np.cov(flat.T, ddof=0))[::-1]
    for latent_dim in (2, 7):
        model = fitted("pca", images, latent_dim)
        error = np.square(model.reconstruct(images).reshape(flat.shape) - flat).sum(1).mean()
        assert error == pytest.approx(eigenvalues[latent_dim:].sum(), rel=1e-3)
        logs = model.evaluate(images, verbose=0, return_dict=True)
        assert logs["reconstruction_loss"] == pytest.approx(error, rel=1e-3)


def test_variance_is_that_of_probabilistic_pca(images):
    """The posterior covariance is a Gaussian's given its noisy linear image."""
    flat = images.reshape(len(images), -1).astype("float64")
    reference = sklearn.decomposition.PCA(4).fit(flat)
    # scikit-learn averages the variances left out over 12 of 16 directions, and by n - 1.
    noise = reference.noise_variance_ * 12 / 16 * 199 / 200
    expected = noise / reference.explained_variance_
    log_var = fitted("pca", images).posterior(images)[1]
    np.testing.assert_allclose(np.exp(log_var), np.tile(expected, (200, 1)), rtol=1e-3)
    # Tipping & Bishop: noise * (W'W + noise I)^-1 with W of the length sqrt(eigenvalue - noise).
    factors = reference.components_.T * np.sqrt(reference.explained_variance_ - noise)
    posterior = noise * np.linalg.inv(factors.T @ factors + noise * np.eye(4))
    np.testing.assert_allclose(np.diag(posterior), np.exp(log_var[0]), rtol=1e-3)


def test_variance_of_ica_is_the_noise_through_its_encoder(images):
    model = fitted("ica", images)
    residual = model.reconstruct(images) - images
    rows = model.encoder.get_layer("z_mean").get_weights()[0].astype("float64")
    # Pixels that carry independent noise of that variance move the codes by so much.
    noise = np.random.default_rng(0).normal(scale=residual.std(), size=(20_000, 16))
    np.testing.assert_allclose(
        np.exp(model.posterior(images[:1])[1][0]), (noise @ rows).var(0), rtol=0.05
    )


def test_ica_finds_independent_sources():
    rng = np.random.default_rng(0)
    sources = np.stack(
        [rng.uniform(-1, 1, 3000), rng.laplace(size=3000), rng.choice([-1.0, 1.0], 3000)], axis=1
    )
    mixed = sources @ rng.normal(size=(3, 16)) + 0.5
    images = mixed.astype("float32").reshape(-1, *SHAPE)
    codes = {method: fitted(method, images, 3).encode(images) for method in METHODS}

    def match(method):
        correlations = np.abs(np.corrcoef(sources.T, codes[method].T)[:3, 3:])
        return max(min(correlations[range(3), order]) for order in itertools.permutations(range(3)))

    assert match("ica") > 0.95 > match("pca")
    # A rotation of the principal components: the same subspace, so the same reconstructions.
    residuals = codes["ica"] - codes["pca"] @ np.linalg.lstsq(codes["pca"], codes["ica"])[0]
    assert np.abs(residuals).max() < 1e-2
    model = fitted("ica", images, 3)
    np.testing.assert_allclose(model.reconstruct(images), images, atol=1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_batches_and_arrays_give_the_same(blobs, method, stored_images):
    images = blobs(100, (6, 6, 1))
    of_array = fitted(method, images, 3, fit_images=64)
    # In order, 64 of them, and the last batch not whole.
    batches = Batches(stored_images(images), batch_size=12, shuffle=False)
    of_batches = fitted(method, images[:5], 3)
    of_batches.fit_images = 64
    of_batches.fit(batches)
    np.testing.assert_allclose(of_batches.encode(images), of_array.encode(images), atol=1e-4)
    all_of_them = fitted(method, images, 3)
    assert np.abs(all_of_them.encode(images) - of_array.encode(images)).max() > 1e-3


def test_integers_are_divided_by_255(blobs):
    images = blobs(40, (6, 6, 1))
    integers = fitted("pca", images, 3)
    floats = fitted("pca", images / np.float32(255), 3)
    np.testing.assert_allclose(integers.encode(images), floats.encode(images / 255.0), atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_history_and_callbacks(images, method):
    calls = []

    class Recorder(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            calls.append("train_begin")

        def on_epoch_begin(self, epoch, logs=None):
            calls.append(("epoch_begin", epoch))

        def on_epoch_end(self, epoch, logs=None):
            calls.append(("epoch_end", epoch, logs))

        def on_train_end(self, logs=None):
            calls.append("train_end")

    model = fitted(method, images)
    history = model.fit(
        images, epochs=7, callbacks=[Recorder()], validation_data=images[:50], verbose=0
    ).history
    logs = model.evaluate(images, verbose=0, return_dict=True)
    held_out = model.evaluate(images[:50], verbose=0, return_dict=True)
    expected = {**logs, **{f"val_{name}": value for name, value in held_out.items()}}
    assert {name: values[0] for name, values in history.items()} == pytest.approx(expected)
    assert {len(values) for values in history.values()} == {1}
    names = [call if isinstance(call, str) else call[:2] for call in calls]
    assert names == ["train_begin", ("epoch_begin", 0), ("epoch_end", 0), "train_end"]
    assert calls[2][2] == pytest.approx(expected)
    assert logs["loss"] == pytest.approx(logs["reconstruction_loss"] + logs["kl_loss"], rel=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_saving(images, tmp_path, method):
    model = fitted(method, images, fit_images=150)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert type(loaded) is type(model) and loaded.fit_images == 150
    for got, expected in zip(loaded.posterior(images), model.posterior(images), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-6)
    np.testing.assert_allclose(loaded.reconstruct(images), model.reconstruct(images), rtol=1e-6)
    assert loaded.evaluate(images, verbose=0) == pytest.approx(model.evaluate(images, verbose=0))
    config = json.loads(json.dumps(model.get_config()))
    assert json.loads(json.dumps(type(model).from_config(config).get_config())) == config


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", [0, 255])
def test_images_that_are_all_alike(method, value):
    images = np.full((20, 4, 4, 1), value, "uint8")
    model = fitted(method, images, 2)
    for array in (*model.posterior(images), model.sample(5, seed=0)):
        assert np.isfinite(array).all()
    np.testing.assert_allclose(model.reconstruct(images), value / 255, atol=1e-3)
    logs = model.evaluate(images, verbose=0, return_dict=True)
    assert np.isfinite(list(logs.values())).all()


@pytest.mark.parametrize("method", METHODS)
def test_too_few_images_or_pixels(images, method):
    model = fitted(method, images)
    with pytest.raises(UsageError, match=r"more images than its 4 components. Received: 4"):
        model.fit(images[:4])
    with pytest.raises(UsageError, match="`fit_images` must be a whole number of at least 2"):
        fitted(method, images, fit_images=1)
    with pytest.raises(UsageError, match="cannot find 17 components in images of 16 pixels"):
        fitted(method, images, 17)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("options", [{"network": "mlp"}, {"likelihood": "bernoulli"}])
def test_other_networks_and_likelihoods(method, options):
    with pytest.raises(UsageError, match="is linear and has a Gaussian likelihood"):
        {"pca": PCA, "ica": ICA}[method].for_images(SHAPE, 2, **options)


def test_networks_of_the_user_must_fit(images):
    with pytest.raises(UsageError, match="3 numbers for 3 latent dimensions"):
        PCA(linear_encoder(SHAPE, 3), linear_decoder(2, SHAPE))
    for decoder in (mlp_decoder(3, SHAPE, units=(4,)), mlp_decoder(3, SHAPE, units=())):
        model = PCA(linear_encoder(SHAPE, 3), decoder)
        if len(decoder.weights) > 2:
            with pytest.raises(UsageError, match="PCA needs linear networks"):
                model.fit(images)
        else:
            model.compile()
            model.fit(images)
            np.testing.assert_allclose(
                model.reconstruct(images), fitted("pca", images, 3).reconstruct(images), atol=1e-5
            )
    with pytest.raises(UsageError, match="needs a Gaussian likelihood of linear output"):
        PCA(linear_encoder(SHAPE, 3), linear_decoder(3, SHAPE), likelihood="bernoulli")
