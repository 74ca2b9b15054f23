"""What images come in: every source gives the codes and losses of the plain array."""

import importlib.util

import keras
import numpy as np
import pytest

from keras_devae.errors import UsageError
from keras_devae.input.batches import Batches

pytestmark = pytest.mark.backends


class Loaded(keras.utils.PyDataset):
    """Batches of 4, as a user would write them."""

    def __init__(self, images, wrap):
        super().__init__()
        self.stored, self.wrap = images, wrap

    def __len__(self):
        return -(-len(self.stored) // 4)

    def __getitem__(self, index):
        return self.wrap(self.stored[4 * index : 4 * index + 4])


def as_tf_data(images, parts=False):
    tensorflow = pytest.importorskip("tensorflow")
    if parts:
        images = {"image": images, "label": np.arange(len(images)), "id": ["a"] * len(images)}
    return tensorflow.data.Dataset.from_tensor_slices(images).batch(4)


def as_torch_loader(images, parts=False):
    if importlib.util.find_spec("torch") is None:
        pytest.skip("PyTorch is not installed")
    from torch.utils.data import DataLoader

    return DataLoader([{"image": image} for image in images] if parts else images, batch_size=4)


SOURCES = {
    "list of images": list,
    "nested lists": lambda images: images.tolist(),
    "dictionary": lambda images: {"image": images, "label": np.arange(len(images))},
    "tuples of batches": lambda images: Loaded(images, lambda batch: (batch,)),
    "batches": lambda images: Loaded(images, lambda batch: batch),
    "dictionaries of batches": lambda images: Loaded(images, lambda batch: {"image": batch}),
    "tf.data": as_tf_data,
    "tf.data of dictionaries": lambda images: as_tf_data(images, parts=True),
    "torch": as_torch_loader,
    "torch of dictionaries": lambda images: as_torch_loader(images, parts=True),
}


@pytest.fixture(scope="module")
def model(tiny):
    return tiny("joint_vae")


@pytest.mark.parametrize("source", SOURCES)
def test_inference_of_every_source(model, blobs, source):
    images = blobs(10)
    made = SOURCES[source](images)
    np.testing.assert_allclose(model.encode(made), model.encode(images), atol=1e-6)
    sampled = [model.encode(x, sample=True, seed=3) for x in (made, images)]
    np.testing.assert_allclose(*sampled, atol=1e-5)
    np.testing.assert_allclose(model.reconstruct(made), model.reconstruct(images), atol=1e-6)
    np.testing.assert_array_equal(model.encode_categories(made), model.encode_categories(images))


@pytest.mark.parametrize("source", SOURCES)
def test_training_on_every_source(tiny, blobs, source):
    images = blobs(8)
    made = SOURCES[source](images)
    size = {} if "batches" in source or "tf" in source or "torch" in source else {"batch_size": 4}
    model, plain = tiny("vae"), tiny("vae")
    how = {"shuffle": False, "verbose": 0}
    history = model.fit(made, validation_data=made, **size, **how).history
    expected = plain.fit(images, validation_data=images, batch_size=4, **how).history
    for name, values in expected.items():
        np.testing.assert_allclose(history[name], values, rtol=1e-4, err_msg=name)
    losses = [m.evaluate(x, verbose=0) for m, x in ((model, made), (model, images))]
    np.testing.assert_allclose(*losses, rtol=1e-4)
    predicted = [model.predict(x, verbose=0)["z_mean"] for x in (made, images)]
    np.testing.assert_allclose(*predicted, atol=1e-5)


def test_a_data_set_and_its_batches(tiny, blobs, stored_images):
    images, model = blobs(20), tiny("vae")
    data = stored_images(images)
    codes = model.encode(images)
    np.testing.assert_allclose(model.encode(data), codes, atol=1e-6)
    in_order = Batches(data, 8, shuffle=False)
    np.testing.assert_allclose(model.encode(in_order), codes, atol=1e-6)
    shuffled = Batches(data, 8, steps=2, seed=3, resident=True)
    rows = np.concatenate([shuffled.indices(step) for step in range(2)])
    np.testing.assert_allclose(model.encode(shuffled), codes[rows], atol=1e-6)
    history = model.fit(data, batch_size=8, validation_data=data, epochs=2, verbose=0).history
    assert int(model.optimizer.iterations) == 6 and np.isfinite(history["val_loss"]).all()
    np.testing.assert_allclose(
        model.evaluate(data, verbose=0), model.evaluate(images, batch_size=64, verbose=0), rtol=1e-5
    )


def test_the_number_of_images_of_a_data_set(tiny, blobs, stored_images):
    model = tiny("beta_tc_vae")
    model.fit(stored_images(blobs(20)), batch_size=10, verbose=0)
    assert float(keras.ops.convert_to_numpy(model.images_trained_on)) == 20


def test_a_data_set_is_decomposed(tiny, blobs, stored_images):
    images = blobs(12)
    models = tiny("pca"), tiny("pca")
    for model, source in zip(models, (images, {"image": stored_images(images)}), strict=True):
        model.fit(source)
    np.testing.assert_allclose(models[1].encode(images), models[0].encode(images), atol=1e-5)


NOTHING = {
    "text": "a",
    "none": None,
    "number": 5,
    "list of text": ["a", "b"],
    "ragged list": [np.zeros((8, 8, 1)), np.zeros((8, 4, 1))],
    "empty list": [],
    "set": {1, 2},
    "dictionary without images": {"images": np.zeros((2, 8, 8, 1))},
    "array of text": np.full((2, 8, 8, 1), "a"),
    "array of objects": np.full((2, 8, 8, 1), None),
    "complex": np.zeros((2, 8, 8, 1), complex),
    "masked": np.ma.masked_array(np.zeros((2, 8, 8, 1), "float32"), mask=True),
    "symbol": keras.KerasTensor((2, 8, 8, 1)),
    "scalar": np.float32(3),
    "path": __file__,
}


@pytest.mark.parametrize("kind", NOTHING)
@pytest.mark.parametrize("method", ["encode", "reconstruct", "fit", "evaluate", "predict"])
def test_what_holds_no_images(tiny, kind, method):
    with pytest.raises(UsageError):
        getattr(tiny("vae"), method)(NOTHING[kind])


def test_what_may_have_no_end(model, blobs):
    def forever():
        while True:
            yield blobs(4)

    endless = [forever()]
    if importlib.util.find_spec("tensorflow") is not None:
        endless.append(as_tf_data(blobs(4)).repeat())
    for source in endless:
        with pytest.raises(UsageError, match="may have no end"):
            model.encode(source)


def test_no_batches_at_all(model):
    with pytest.raises(UsageError, match="holds no images"):
        model.encode(Loaded(np.zeros((0, 8, 8, 1), np.uint8), lambda batch: batch))
