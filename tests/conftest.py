"""What the tests of the Keras parts share. Keras itself is imported only where it is used."""

import gc
import importlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from browsing import (  # noqa: F401
    browser_page,
    chromium,
    find_barriers,
    look,
    walk_with_tab,
    window,
)

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
if "PYTEST_XDIST_WORKER" in os.environ:
    # Processes that test side by side would wait for each other's threads.
    for threads in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(threads, "1")

# Before any test imports TensorFlow, which it sets up for the processor.
importlib.import_module("keras_devae")

#: Options that keep the models of the tests small, or let something happen within few steps.
SMALL = {
    "byol": {"projector_units": (16, 8), "predictor_units": (16,)},
    "factor_vae": {"discriminator_units": (16, 16)},
    "cascade_vae": {"stage_steps": 2, "matching_stage": 1},
}


def pytest_configure(config):
    """Lets tests score few samples, as nearly all do; tests of that warning ask for it."""
    few = "ignore::keras_devae.metrics.metric_warnings.FewSamplesWarning"
    config.addinivalue_line("filterwarnings", few)


def pytest_collection_finish():
    """Spares garbage collection the modules, which stay: Keras has it look at everything often."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def answered_signals():
    """Answers Ctrl-C and SIGTERM as from a terminal, where these tests were started without.

    What a script runs in the background ignores Ctrl-C, and hands that on to all that it starts.
    """
    answers = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    ignored = [number for number in answers if signal.getsignal(number) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, answers[number])
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


@pytest.fixture(scope="session", autouse=True)
def prepared_data(tmp_path_factory):
    """Keeps decoded pictures out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        if not os.environ.get("KERAS_DEVAE_DATA"):
            patch.setenv("KERAS_DEVAE_DATA", str(tmp_path_factory.mktemp("prepared")))
        yield


@pytest.fixture(autouse=True)
def determinism_ends_with_the_test():
    """Turns deterministic operations off again: XLA and some gradients are refused under them."""
    yield
    if "tensorflow" in sys.modules:
        importlib.import_module("tensorflow.python.framework.config").disable_op_determinism()
    if "torch" in sys.modules:
        sys.modules["torch"].use_deterministic_algorithms(False)


def reader_of(folder):
    """Returns a function that reads a file of reference values by its name."""
    return lambda name: json.loads((Path(__file__).parent / folder / f"{name}.json").read_text())


@pytest.fixture
def workplace(tmp_path, monkeypatch, blobs):
    """A folder to work in, with `images.npz`: 64 images of 16x16 and their factors."""
    monkeypatch.chdir(tmp_path)
    factors = np.random.default_rng(0).integers(0, 3, (64, 2))
    np.savez("images.npz", images=blobs(64, (16, 16, 1)), factors=factors)
    return tmp_path


@pytest.fixture(scope="session")
def oracle():
    """Reads a file of reference values; see losses/oracle/README.md."""
    return reader_of("losses/oracle")


@pytest.fixture(scope="session")
def schedule_oracle():
    """Reads a file of reference values; see schedules/oracle/README.md."""
    return reader_of("schedules/oracle")


@pytest.fixture(scope="session")
def stored_images():
    """Makes as much of a data set as `Batches` needs from an array of images."""

    class StoredImages:
        def __init__(self, images):
            self.stored = images

        def __len__(self):
            return len(self.stored)

        def images(self, indices):
            return self.stored[indices]

    return StoredImages


@pytest.fixture(scope="session")
def gradients_of():
    """Differentiates a scalar function of arrays, on whichever backend is active."""
    import keras
    from keras import ops

    def on_tensorflow(function, tensors):
        import tensorflow

        with tensorflow.GradientTape() as tape:
            tape.watch(tensors)
            total = function(*tensors)
        return tape.gradient(total, tensors)

    def on_jax(function, tensors):
        import jax

        return jax.grad(function, argnums=tuple(range(len(tensors))))(*tensors)

    def on_torch(function, tensors):
        tensors = [tensor.requires_grad_() for tensor in tensors]
        function(*tensors).backward()
        return [tensor.grad for tensor in tensors]

    kinds = {"tensorflow": on_tensorflow, "jax": on_jax, "torch": on_torch}

    def gradients(function, *arrays):
        tensors = [ops.convert_to_tensor(array.copy()) for array in arrays]
        found = kinds[keras.backend.backend()](function, tensors)
        return [ops.convert_to_numpy(gradient) for gradient in found]

    return gradients


@pytest.fixture(scope="session")
def miniature():
    """The functions that write miniatures of the published files."""
    path = Path(__file__).parent / "data" / "miniature_files.py"
    spec = importlib.util.spec_from_file_location("miniature_files", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def float32_policy():
    """Puts Keras's dtype policy back after a test that changes it."""
    import keras

    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture(scope="session")
def blobs():
    """Makes n binary uint8 images (0 and 255) of a square at random places."""

    def make(n=32, image_shape=(8, 8, 1), seed=0):
        rng = np.random.default_rng(seed)
        images = np.zeros((n, *image_shape), np.uint8)
        half = image_shape[0] // 2
        for image, (row, column) in zip(images, rng.integers(0, half, (n, 2)), strict=True):
            image[row : row + half, column : column + half] = 255
        return images

    return make


@pytest.fixture(scope="session")
def tiny():
    """Builds a compiled model of 8x8 images with one hidden layer of 16 units."""
    import keras

    from keras_devae.models import MODELS
    from keras_devae.networks import mlp_decoder, mlp_encoder

    def make(
        method="devae",
        latent_dim=3,
        image_shape=(8, 8, 1),
        units=(16,),
        learning_rate=1e-3,
        compile_options=None,
        **options,
    ):
        options = {"seed": 0, **SMALL.get(method, {}), **options}
        model_class = MODELS[method]
        if method in ("pca", "ica"):
            model = model_class.for_images(image_shape, latent_dim, **options)
        else:
            wanted = model_class.encoder_options(latent_dim, **options)
            encoder = mlp_encoder(image_shape, units=units, seed=1, **wanted)
            if model_class.declaration.posterior == "none":
                encoder = keras.Model(encoder.input, {"z_mean": encoder.output["z_mean"]})
            networks = [encoder]
            if model_class.declaration.decodes:
                width = model_class.decoder_input_dim(latent_dim, **options)
                networks.append(mlp_decoder(width, image_shape, units, seed=2))
            model = model_class(*networks, **options)
        model.compile(keras.optimizers.Adam(learning_rate), **(compile_options or {}))
        return model

    return make


@pytest.fixture(scope="session")
def to_fit():
    """Returns images as `fit` of a model takes them: each beside another one, if it takes pairs."""
    from keras_devae.models.catalogue import MODEL_CATALOGUE

    def make(method, images):
        takes_pairs = MODEL_CATALOGUE[method.split()[0]].takes_pairs
        return np.stack([images, images[::-1]], axis=1) if takes_pairs else images

    return make


@pytest.fixture
def fresh_python(tmp_path):
    """Runs Python in a process of its own, outside the repository; returns (output, errors)."""

    def run(*arguments, **environment):
        result = subprocess.run(
            [sys.executable, *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        return result.stdout, result.stderr

    return run
