"""beta-TCVAE: the decomposed divergence, and the size of the data set that it needs."""

import importlib.util

import keras
import numpy as np
import pytest
from keras import ops

from keras_devae.errors import UsageError
from keras_devae.input.batches import Batches

pytestmark = pytest.mark.backends

TERMS = {
    "mutual_information": "mi",
    "total_correlation": "tc",
    "dimension_wise_kl": "dimension_wise_kl",
}


def terms_of(model, batch):
    """The terms of the published batch, whose reconstruction plays no part."""
    pixels = ops.zeros((8, 8, 8, 1))
    names = {"z": "z", "z_mean": "mu", "z_log_var": "logvar"}
    outputs = {name: np.float32(batch[key]) for name, key in names.items()}
    return model.loss_terms(pixels, {**outputs, "decoded": pixels}, training=True)


def penalty(terms):
    return float(terms.total) - float(ops.sum(terms.reconstruction))


@pytest.mark.parametrize("size", ["8", "100", "737280"])
@pytest.mark.parametrize(
    ("published", "options"),
    [
        ("weighted", {}),
        ("stratified", {"estimator": "stratified"}),
        ("stratified_as_released", {"estimator": "stratified", "reference_compat": True}),
    ],
)
def test_terms_of_other_implementations(oracle, tiny, size, published, options):
    batch = oracle("latent_batch")
    expected = batch["decomposition"][size][published]
    model = tiny(
        "beta_tc_vae", latent_dim=4, beta=6, alpha=0.5, gamma=2, dataset_size=int(size), **options
    )
    terms = terms_of(model, batch)
    got = {name: float(value) for name, (_, value) in terms.penalties.items()}
    assert got == pytest.approx({k: expected[v] for k, v in TERMS.items()}, rel=1e-5, abs=5e-5)
    whole = 0.5 * expected["mi"] + 6 * expected["tc"] + 2 * expected["dimension_wise_kl"]
    assert penalty(terms) == pytest.approx(whole, rel=1e-4, abs=1e-3)
    # Beside them stands the closed form.
    assert float(terms.total_kl) == pytest.approx(batch["kl_total"], rel=1e-5)


@pytest.mark.parametrize("row", [0, 1, 2])
def test_regularizer_of_other_code(oracle, tiny, row):
    """That code leaves the sizes out of the total correlation and takes the closed form of KL."""
    batch = oracle("latent_batch")
    case = batch["beta_tc_vae_regularizer"][row]
    alpha, beta = case["alpha"], case["beta"]
    model = tiny(
        "beta_tc_vae", latent_dim=4, beta=beta, alpha=alpha, gamma=alpha, dataset_size=1000
    )
    sampled_kl = sum(batch["decomposition"]["8"]["weighted"].values())
    expected = (
        case["regularizer"]
        + alpha * (sampled_kl - batch["kl_total"])
        + (beta - alpha) * 3 * np.log(8 * 1000)
    )
    assert penalty(terms_of(model, batch)) == pytest.approx(expected, rel=1e-5)


class Unsized(keras.utils.PyDataset):
    def __init__(self, images):
        super().__init__()
        self.stored = images

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return (self.stored[:8],)


def trained_on(model):
    return float(ops.convert_to_numpy(model.images_trained_on))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, 24),
        ({"validation_split": 0.25}, 18),
        ({"validation_split": 0.3}, 16),
        ({"validation_data": True}, 24),
    ],
)
def test_size_of_an_array(tiny, blobs, options, expected):
    model, images = tiny("beta_tc_vae"), blobs(24)
    if "validation_data" in options:
        options = {**options, "validation_data": images[:4]}
    model.fit(images, batch_size=8, verbose=0, **options)
    assert trained_on(model) == expected


def test_size_of_batches(tiny, blobs, stored_images):
    model = tiny("beta_tc_vae")
    model.fit(Batches(stored_images(blobs(24)), batch_size=8, steps=2), verbose=0)
    assert trained_on(model) == 24


def test_size_of_a_torch_loader(tiny, blobs):
    if importlib.util.find_spec("torch") is None:
        pytest.skip("PyTorch is not installed")
    from torch.utils.data import DataLoader

    model = tiny("beta_tc_vae")
    model.fit(DataLoader(blobs(24), batch_size=10), shuffle=False, verbose=0)
    assert trained_on(model) == 24


def as_tf_data(images):
    pytest.importorskip("tensorflow")
    import tensorflow

    return tensorflow.data.Dataset.from_tensor_slices(images).batch(8)


def as_generator(images):
    while True:
        yield (images,)


@pytest.mark.parametrize("make", [Unsized, as_tf_data, as_generator])
def test_sources_that_do_not_tell_their_size(tiny, blobs, make):
    model, images = tiny("beta_tc_vae"), blobs(8)
    source = make(images)
    sentence = f"cannot be told from a {type(source).__name__}. Pass it as `dataset_size`"
    for method in (model.fit, model.evaluate):
        with pytest.raises(UsageError, match=sentence):
            method(source, verbose=0)
    assert int(model.optimizer.iterations) == 0
    told = tiny("beta_tc_vae", dataset_size=500)
    told.fit(source, steps_per_epoch=1, shuffle=False, verbose=0)
    assert trained_on(told) == 500 and int(told.optimizer.iterations) == 1


@pytest.mark.parametrize("size", [0, -1, 2.5])
def test_size_out_of_range(tiny, size):
    with pytest.raises(UsageError, match="`dataset_size` must be a whole number of at least 1"):
        tiny("beta_tc_vae", dataset_size=size)


def test_given_size_wins(tiny, blobs):
    model = tiny("beta_tc_vae", dataset_size=500)
    model.fit(blobs(8), verbose=0)
    assert trained_on(model) == 500


@pytest.mark.thorough
@pytest.mark.parametrize("options", [{}, {"dataset_size": 500}])
def test_evaluation_after_loading_uses_the_size_trained_on(tiny, blobs, tmp_path, options):
    model, others = tiny("beta_tc_vae", **options), blobs(10, seed=1)
    model.fit(blobs(24), batch_size=8, verbose=0)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert trained_on(loaded) == options.get("dataset_size", 24)
    logs = model.evaluate(others, verbose=0, return_dict=True)
    assert loaded.evaluate(others, verbose=0, return_dict=True) == pytest.approx(logs, rel=1e-5)
    # A model that has not been trained takes the images evaluated for the data set.
    untrained = tiny("beta_tc_vae")
    untrained.evaluate(others, verbose=0)
    assert trained_on(untrained) == 10


def test_another_size_takes_effect_in_the_compiled_step(tiny, blobs):
    model, images = tiny("beta_tc_vae", learning_rate=0.0), blobs(8)
    state = np.array(ops.convert_to_numpy(model.sampling.seed_generator.state))
    logs = []
    for copies in (1, 2):
        # The same first batch and the same noise, of twice as many images.
        model.sampling.seed_generator.state.assign(state)
        history = model.fit(
            np.tile(images, (copies, 1, 1, 1)),
            batch_size=8,
            steps_per_epoch=1,
            shuffle=False,
            verbose=0,
        ).history
        logs.append({name: values[0] for name, values in history.items()})
    # Of the weighted estimator log N is taken off once for q(z) and once for every dimension.
    expected = {"mutual_information": 1, "total_correlation": 2, "dimension_wise_kl": -3}
    for name, times in expected.items():
        got = logs[1][f"{name}_loss"] - logs[0][f"{name}_loss"]
        assert got == pytest.approx(times * np.log(2), abs=1e-4)
    assert logs[1]["kl_loss"] == logs[0]["kl_loss"]
