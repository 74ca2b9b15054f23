"""Ada-GVAE: training on pairs of images, and everything else on single ones."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_devae import data
from keras_devae.errors import UsageError

pytestmark = pytest.mark.backends


def outputs_of(model, images):
    return {name: ops.convert_to_numpy(value) for name, value in model(images).items()}


def test_both_images_of_a_pair_get_one_code_where_they_are_close(tiny, squares):
    model, pairs = tiny("ada_gvae"), squares.pairs(batch_size=16).images(0)
    together = outputs_of(model, pairs)
    alone = outputs_of(model, pairs.reshape(32, 8, 8, 1))
    assert {name: value.shape for name, value in together.items()} == {
        name: value.shape for name, value in alone.items()
    }
    first, second = together["z_mean"][::2], together["z_mean"][1::2]
    shared = first == second
    assert 0 < shared.sum() < shared.size and not shared.all(axis=1).any()
    means = (alone["z_mean"][::2] + alone["z_mean"][1::2]) / 2
    np.testing.assert_allclose(first[shared], means[shared], rtol=1e-5)
    for part in ("z_mean", "z_log_var"):
        for i in range(2):
            np.testing.assert_allclose(
                together[part][i::2][~shared], alone[part][i::2][~shared], rtol=1e-5, atol=1e-6
            )
    np.testing.assert_allclose(
        together["reconstruction"], model.decode(together["z_mean"]), rtol=1e-5, atol=1e-6
    )


def test_equal_images_are_as_two_single_ones(tiny, blobs):
    model, images = tiny("ada_gvae"), blobs(8)

    def total(given):
        terms = model.loss_terms(model.pixels(given), model(given), training=False)
        return float(ops.convert_to_numpy(terms.total))

    assert total(np.stack([images, images], axis=1)) == pytest.approx(total(images), rel=1e-5)


def test_single_images_are_evaluated_as_by_a_vae(tiny, blobs):
    images = blobs(8)
    ada, vae = (tiny(method).evaluate(images, verbose=0) for method in ("ada_gvae", "vae"))
    assert ada == pytest.approx(vae, rel=1e-6)


@pytest.mark.parametrize("changed_factors", [2, "random"])
def test_a_data_set_is_trained_on_by_its_pairs(tiny, squares, changed_factors):
    def trained(source, **options):
        model = tiny("ada_gvae", changed_factors=changed_factors)
        return model.fit(source, epochs=2, verbose=0, **options).history["loss"]

    losses = trained(squares, batch_size=8)
    assert losses == trained(squares.pairs(changed_factors, batch_size=8))
    assert losses != trained(squares.pairs(1, batch_size=8))


class Loader(keras.utils.PyDataset):
    """Batches of a user's own."""

    def __init__(self, pairs):
        super().__init__()
        self.pairs = pairs

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return (self.pairs[8 * index : 8 * index + 8],)


def test_pairs_of_the_users_own(tiny, squares):
    pairs = squares.pairs(batch_size=24).images(0)
    sources = {
        "array": (pairs, {"batch_size": 8}),
        "list of arrays": (list(np.split(pairs, 3)), {"batch_size": 8}),
        "batches": (Loader(pairs), {}),
        "floats": (pairs.astype("float32") / 255, {"batch_size": 8}),
        "generator": ((part for part in np.split(pairs, 3)), {"steps_per_epoch": 3}),
    }
    losses = {
        name: tiny("ada_gvae").fit(source, shuffle=False, verbose=0, **options).history["loss"]
        for name, (source, options) in sources.items()
    }
    for name, loss in losses.items():
        assert loss == pytest.approx(losses["array"], rel=1e-5), name


def test_validation_takes_single_images(tiny, squares, blobs):
    model, pairs = tiny("ada_gvae"), squares.pairs(batch_size=20).images(0)
    for held_out in (squares, blobs(8)):
        history = model.fit(pairs, validation_data=held_out, verbose=0).history
        expected = model.evaluate(held_out, verbose=0, return_dict=True)
        assert history["val_loss"][0] == pytest.approx(expected["loss"], rel=1e-6)
    with pytest.raises(UsageError, match="pass these as `validation_data`"):
        model.fit(pairs, validation_split=0.2, verbose=0)


def test_single_images_are_refused_for_training(tiny, squares, blobs):
    model, images = tiny("ada_gvae"), blobs(8)
    for wrong in (
        images,
        squares.batches(8),
        (images, images),
        Loader(images),
        np.zeros((4, 3, 8, 8, 1)),
    ):
        with pytest.raises(UsageError, match=r"Expected pairs .*\(n, 2, 8, 8, 1\).*np.stack"):
            model.fit(wrong, verbose=0)
    with pytest.raises(UsageError, match="Expected pairs"):
        model.train_on_batch(images)
    with pytest.raises(UsageError, match="has no factors, by which pairs"):
        model.fit(data.from_arrays(images), verbose=0)


def test_pairs_are_refused_where_images_are_meant(tiny, squares):
    pairs = squares.pairs(batch_size=4).images(0)
    for call in (
        lambda: tiny("vae").fit(pairs, verbose=0),
        lambda: tiny("vae").fit(squares.pairs(batch_size=4), verbose=0),
        lambda: tiny("ada_gvae").encode(pairs),
        lambda: tiny("ada_gvae").evaluate(pairs, verbose=0),
        lambda: tiny("ada_gvae").test_on_batch(pairs),
        lambda: tiny("ada_gvae").fit(squares, validation_data=pairs, verbose=0),
        lambda: tiny("ada_gvae").predict(pairs, verbose=0),
    ):
        with pytest.raises(UsageError, match=r"Expected images of shape \(n, 8, 8, 1\)"):
            call()


def test_pixels_of_pairs_are_checked(tiny, squares):
    pairs = squares.pairs(batch_size=4).images(0) / np.float32(255)
    pairs[2, 1, 0, 0, 0] = np.nan
    with pytest.raises(UsageError, match="not finite, first in row 2"):
        tiny("ada_gvae").fit(pairs, verbose=0)


def test_interrupted_training_equals_uninterrupted(tiny, squares, tmp_path):
    def pairs(start_step):
        return squares.pairs("random", batch_size=8, steps=5, seed=3, start_step=start_step)

    whole = tiny("ada_gvae").fit(pairs(0), epochs=4, verbose=0).history
    model = tiny("ada_gvae")
    first = model.fit(pairs(0), epochs=2, verbose=0).history
    model.save(tmp_path / "m.keras")
    resumed = keras.models.load_model(tmp_path / "m.keras")
    second = resumed.fit(pairs(10), epochs=2, verbose=0).history
    for name, values in whole.items():
        np.testing.assert_allclose(first[name] + second[name], values, rtol=1e-6, err_msg=name)
