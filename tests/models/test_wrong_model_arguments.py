"""Wrong arguments of every model, layer, schedule, network and method: one sentence, or taken."""

import functools
import inspect

import keras
import numpy as np
import pytest
from thoroughness import quick_first

import keras_devae as kd
from keras_devae.errors import UsageError
from keras_devae.models import MODELS
from keras_devae.models.keras_arguments import option_names

pytestmark = pytest.mark.backends

VALUES = {
    "text": "a",
    "no text": "",
    "bytes": b"a",
    "negative": -1,
    "fraction": 1.5,
    "nan": float("nan"),
    "infinite": float("inf"),
    "beyond floats": -(10**400),
    "complex": 1j,
    "true": True,
    "none": None,
    "list": [],
    "nested list": [["a"]],
    "dictionary": {},
    "configuration": {"class_name": "Nothing", "config": {}},
    "array": np.zeros(2),
    "object": object(),
    "class": dict,
}
QUICK = {"text", "negative", "nan", "none", "list", "dictionary", "array", "class"}


def refusal(call):
    """Returns the sentence of a refusal, `None` where there is none; other errors are raised."""
    try:
        call()
    except UsageError as error:
        assert "\n" not in str(error).split("Received")[0], error
        return str(error)
    return None


@pytest.fixture(scope="module")
def networks():
    """An encoder and a decoder that fit each method."""

    def make(method):
        model_class = MODELS[method]
        if method in ("pca", "ica"):
            made = model_class.for_images((4, 4, 1), 2)
            return made.encoder, made.decoder
        return (
            kd.networks.mlp_encoder((4, 4, 1), units=(4,), **model_class.encoder_options(2)),
            kd.networks.mlp_decoder(model_class.decoder_input_dim(2), (4, 4, 1), (4,)),
        )

    return make


@pytest.mark.parametrize("kind", quick_first(VALUES, QUICK))
@pytest.mark.parametrize(
    "method", quick_first(MODELS, {"beta_tc_vae", "control_vae", "devae", "joint_vae"})
)
def test_options_of_models(networks, method, kind):
    encoder, decoder = networks(method)
    given = [encoder, decoder] if MODELS[method].declaration.decodes else [encoder]
    options = [*sorted(option_names(MODELS[method])), "name", "dtype", "trainable"]
    small = {"discriminator_units": (4,)} if method == "factor_vae" else {}
    for option in options:
        refusal(lambda o=option: MODELS[method](*given, **{**small, o: VALUES[kind]}))
    refusal(lambda: MODELS[method](VALUES[kind], *given[1:]))
    refusal(lambda: MODELS[method](encoder, VALUES[kind]))


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("method", quick_first(MODELS, {"devae", "pca"}))
def test_building_from_images(method, kind):
    good = {
        "image_shape": (4, 4, 1),
        "latent_dim": 2,
        "network": None if method in ("pca", "ica") else "mlp",
    }
    for name in ("image_shape", "latent_dim", "network", "seed", "likelihood"):
        if kind not in ("none", "true") and (name, kind) != ("likelihood", "none"):
            assert refusal(lambda n=name: MODELS[method].for_images(**{**good, n: VALUES[kind]}))
    assert "Unknown option" in refusal(lambda: MODELS[method].for_images(**good, bta=VALUES[kind]))


PARTS = {
    "schedules": (
        "ConstantSchedule ExponentialSchedule GeometricSchedule LinearSchedule StageSchedule "
        "PositionPIController IncrementalPIController"
    ),
    "layers": (
        "DiTStack GaussianSampling LayerDraw LayerEmbedding LinearStack ParallelStack RandomState"
    ),
    "networks": (
        "convolutional_encoder convolutional_decoder mlp_encoder mlp_decoder linear_encoder "
        "linear_decoder discriminator"
    ),
    "losses": "GaussianLikelihood",
}
NAMES = [(part, name) for part, names in PARTS.items() for name in names.split()]
#: What they cannot do without.
NEEDED = {
    **dict.fromkeys(("value", "start", "end", "num_layers", "num_stages", "steps"), 2),
    **dict.fromkeys(("latent_dim", "input_dim", "stage_steps"), 2),
    "image_shape": (32, 32, 1),
}


@pytest.mark.parametrize(("part", "name"), NAMES)
def test_parts(part, name):
    make = getattr(getattr(kd, part), name)
    parameters = inspect.signature(make).parameters.values()
    needed = {p.name: NEEDED[p.name] for p in parameters if p.default is p.empty and p.kind != 4}
    make(**needed)
    for parameter in parameters:
        if parameter.kind is not parameter.VAR_KEYWORD and parameter.name != "dtype":
            for value in VALUES.values():
                wrong = {**needed, parameter.name: value}
                refusal(functools.partial(make, **wrong))


#: Method -> further arguments; the wrong value comes first.
CALLS = {
    "encode": {},
    "decode": {},
    "reconstruct": {},
    "posterior": {},
    "fit": {},
    "evaluate": {},
    "predict": {},
    "train_on_batch": {},
    "test_on_batch": {},
    "predict_on_batch": {},
    "load_weights": {},
    "save": {},
    "save_weights": {},
    "set_weights": {},
    "export_encoder": {"format": "nothing"},
    "export": {},
}


@pytest.mark.parametrize("method", CALLS)
def test_what_methods_take_first(tiny, method):
    for model in (tiny("devae"), tiny("joint_vae"), tiny("pca")):
        for kind, value in VALUES.items():
            call = functools.partial(getattr(model, method), value, **CALLS[method])
            assert refusal(call), (model, kind)


IMAGES, CODES = np.zeros((2, 8, 8, 1), np.uint8), np.zeros((2, 3), np.float32)
#: Method -> its first argument, and the arguments that are wrong in turn.
FURTHER = {
    "encode": (IMAGES, ("layer", "batch_size", "sample")),
    "decode": (CODES, ("layer", "batch_size")),
    "reconstruct": (IMAGES, ("layer", "batch_size")),
    "sample": (2, ("n", "layer", "seed")),
    "compile": ("sgd", ("optimizer", "run_eagerly", "steps_per_execution", "jit_compile")),
    "export_encoder": ("never written", ("format",)),
}


@pytest.mark.parametrize("kind", [kind for kind in VALUES if kind not in ("none", "true")])
@pytest.mark.parametrize("method", FURTHER)
def test_what_methods_take_further(tiny, method, kind):
    model = tiny("joint_vae")
    first, names = FURTHER[method]
    function = getattr(model, method)
    given = inspect.signature(function).parameters
    for name in names:
        arguments = {next(iter(given)): first, name: VALUES[kind]}
        assert refusal(functools.partial(function, **arguments)), name


def test_steps_of_schedules():
    schedule = kd.schedules.LinearSchedule(0, 1, 10)
    for kind, value in VALUES.items():
        # Numbers below 0 count as 0.
        if kind not in ("negative", "beyond floats"):
            assert refusal(lambda v=value: schedule(v)), kind


def test_likelihoods_of_no_kind(networks):
    for likelihood in (5, dict, keras.losses.MeanSquaredError(), kd.losses.BernoulliLikelihood, []):
        with pytest.raises(UsageError, match="`likelihood` must be one of bernoulli, gaussian"):
            kd.VAE(*networks("vae"), likelihood=likelihood)
