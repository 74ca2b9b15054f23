"""What models and runs build has no argument that a user could not set.

The arguments are read from the code: a new one fails here until it can be set, or is named below
with the reason why not.
"""

import inspect

import keras
import pytest

from keras_devae import callbacks, data, layers, losses, models, networks, schedules
from keras_devae.data.variants.specification import VARIANTS
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.runs import RunConfig
from keras_devae.runs.config.flat_settings import setting_names
from keras_devae.runs.config.forms import declarations
from keras_devae.runs.training import build_model

PIXELS = "from the images, the seed or another part"
SIZE = "follows from other options"
KERAS = "an argument of Keras's own layer, which the networks set"

LADDER = {"layer_dims": "layer_dims", "batch_normalization": "batch_normalization"}

#: Part -> argument -> where a model and the command line set it.
REACHED = {
    "LayerDraw": {"weight_base": "layer_weight_base"},
    "DiTStack": {"learning_rate_multiplier": "scaling_learning_rate"},
    "PositionPIController": {
        name: name
        for name in (
            *("proportional_gain", "integral_gain", "beta_init", "beta_min", "beta_max"),
            "reference_compat",
        )
    },
    "IncrementalPIController": {
        name: name
        for name in (
            *("proportional_gain", "integral_gain", "beta_init", "beta_min", "beta_max"),
            *("window", "reference_compat"),
        )
    },
    "LinearSchedule": {
        "start": "kl_target_start",
        "end": "kl_target",
        "steps": "kl_target_steps",
        "stairs": "kl_target_stairs",
        "rest": "kl_target_rest",
    },
    "StageSchedule": {"stage_steps": "stage_steps"},
    "ConstantSchedule": {"value": "beta"},
    "GaussianLikelihood": {"sigma": "likelihood_sigma"},
    "mlp_encoder": {
        "latent_dim": "latent_dim",
        "units": "network_units",
        "num_categories": "num_categories",
        **LADDER,
    },
    "mlp_decoder": {"units": "network_units"},
    "convolutional_decoder": {"units": "network_units"},
    "convolutional_encoder": {
        "latent_dim": "latent_dim",
        "units": "network_units",
        "num_categories": "num_categories",
        **LADDER,
    },
    "residual_encoder": {
        "latent_dim": "latent_dim",
        "num_categories": "num_categories",
        **LADDER,
    },
    "linear_encoder": {"latent_dim": "latent_dim"},
    "discriminator": {"latent_dim": "latent_dim", "units": "discriminator_units"},
    "PlanarFlow": {"latent_dim": "latent_dim"},
    **{
        name: {"latent_dim": "latent_dim", "units": "flow_units"}
        for name in ("InverseAutoregressiveFlow", "MADE")
    },
    "RandomViews": {"augmentations": "augmentations", "strength": "augmentation_strength"},
    "ScalarQuantizer": {"num_values": "num_values"},
    "TopDownPass": LADDER,
    "ConditionalPrior": {"batch_normalization": "batch_normalization"},
    "unit_predictors": {"latent_dim": "latent_dim", "units": "predictor_units"},
    "FlowChain": {
        "latent_dim": "latent_dim",
        "flow": "flow",
        "num_flows": "num_flows",
        "units": "flow_units",
    },
}

#: Part -> argument -> why it is not set from outside.
NOT_REACHED = {
    "DiTStack": {
        "num_layers": SIZE,
        "log_scale_limit": "a guard against overflow; a model says when it is met",
    },
    **{name: {"num_layers": SIZE} for name in ("LayerDraw", "LinearStack", "ParallelStack")},
    "LayerEmbedding": {"num_layers": SIZE},
    "StageSchedule": {"num_stages": SIZE},
    "GaussianLikelihood": {
        "output": "pixels of a run lie in [0, 1]; PCA and ICA choose linear themselves"
    },
    "ExponentialSchedule": dict.fromkeys(
        ("end", "steps", "start", "temperature", "warmup_steps"),
        "a schedule of beta is an object, in Python or in the file of a study",
    ),
    "GeometricSchedule": dict.fromkeys(
        ("start", "end", "steps"),
        "as ExponentialSchedule; `annealing-test` sets them by --beta-start, --beta-end, --steps",
    ),
    "convolutional_encoder": {"groups": SIZE, "flow_parameters": SIZE, "image_shape": PIXELS},
    "mlp_encoder": {"groups": SIZE, "flow_parameters": SIZE, "image_shape": PIXELS},
    "residual_encoder": {"groups": SIZE, "flow_parameters": SIZE, "image_shape": PIXELS},
    "SpatialBroadcast": {"size": PIXELS},
    "MaskedDense": dict.fromkeys(
        ("input_degrees", "output_degrees", "strict"), "what MADE needs of its layers"
    ),
    "MADE": {"num_outputs": SIZE, "reverse": "every other flow has its order reversed"},
    "InverseAutoregressiveFlow": {
        "reverse": "every other flow has its order reversed",
        **dict.fromkeys(("output_scale", "forget_bias"), "the start near the identity"),
    },
    "PlanarFlow": {"parameter_scale": "the start near the identity"},
    "linear_encoder": {"image_shape": PIXELS},
    **{
        name: {"input_dim": SIZE, "image_shape": PIXELS}
        for name in (
            *("convolutional_decoder", "mlp_decoder", "linear_decoder"),
            *("residual_decoder", "broadcast_decoder"),
        )
    },
    "discriminator": {"dtype": "the model's, set by --mixed-precision"},
    "image_discriminator": {
        **dict.fromkeys(("num_classes", "num_images", "normalized_head"), "what InfoGAN needs"),
        "dtype": "the model's, set by --mixed-precision",
        "image_shape": PIXELS,
    },
    "unit_predictors": {"dtype": "the model's, set by --mixed-precision"},
    "projection_mlp": {
        **dict.fromkeys(("input_dim", "output_dim", "units"), "from the widths of BYOL's options"),
        "dtype": "the model's, set by --mixed-precision",
    },
    "MovingTarget": {"network": PIXELS},
    "ConditionalPrior": {"latent_dim": SIZE, "units": "the paper's widths"},
    "BatchNormalization": dict.fromkeys(
        {*inspect.signature(keras.layers.BatchNormalization).parameters} - {"name", "kwargs"}, KERAS
    ),
    "SpectralNormalization": {"layer": "a layer of the discriminator"},
    **{
        name: dict.fromkeys(
            (
                *("filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate"),
                *("activation", "use_bias", "kernel_initializer", "bias_initializer"),
                *("kernel_regularizer", "bias_regularizer", "activity_regularizer"),
                *("kernel_constraint", "bias_constraint", extra),
            ),
            KERAS,
        )
        for name, extra in (("Convolution", "groups"), ("TransposedConvolution", "output_padding"))
    },
}

#: Arguments that every part has from what builds it.
GIVEN = {"seed", "self", "name", "args", "kwargs"}


def parts():
    """The classes and functions that models are built of, by name."""
    found = [
        *(getattr(layers, name) for name in layers.__all__),
        *(getattr(schedules, name) for name in schedules.__all__),
        *losses.LIKELIHOODS.values(),
    ]
    makers = [getattr(networks, name) for name in networks.__all__]
    classes = [part for part in found if inspect.isclass(part)]
    return {part.__name__: part for part in [*classes, *filter(inspect.isfunction, makers)]}


def arguments_of(part):
    return set(inspect.signature(part).parameters) - GIVEN


@pytest.mark.parametrize("name", sorted(parts()))
def test_every_argument_of_a_part_is_reached_or_named_with_a_reason(name):
    reached, others = REACHED.get(name, {}), NOT_REACHED.get(name, {})
    assert arguments_of(parts()[name]) == {*reached, *others}
    assert not {*reached} & {*others}
    options = {option for entry in MODEL_CATALOGUE.values() for option in entry.options}
    for setting in reached.values():
        assert setting in options or setting in declarations()
        assert setting in setting_names()
    assert all(len(reason) > 10 for reason in others.values())


def test_no_part_is_listed_that_there_is_not():
    assert {*REACHED, *NOT_REACHED} <= {*parts()}


def parts_in(thing, seen=None):
    """All objects of this package inside a model."""
    seen = {} if seen is None else seen
    if id(thing) in seen or not type(thing).__module__.startswith("keras_devae"):
        return
    seen[id(thing)] = thing
    yield thing
    for value in list(vars(thing).values()):
        yield from parts_in(value, seen)


SET = {
    "layer_weight_base": ("devae", 0.5),
    "scaling_learning_rate": ("devae", 0.5),
    "beta_init": ("dynamic_vae", 90.0),
    "beta_min": ("control_vae", 0.5),
    "beta_max": ("control_vae", 99.0),
    "window": ("dynamic_vae", 7),
    "proportional_gain": ("control_vae", 0.25),
    "integral_gain": ("dynamic_vae", 0.125),
    "reference_compat": ("dynamic_vae", True),
    "kl_target": ("control_vae", 11.0),
    "kl_target_start": ("control_vae", 1.5),
    "kl_target_steps": ("dynamic_vae", 77),
    "kl_target_stairs": ("dynamic_vae", 7),
    "kl_target_rest": ("control_vae", 0.25),
    "stage_steps": ("deft", 33),
    "beta": ("beta_vae", 3.5),
    "likelihood_sigma": ("vae", 0.25),
}
#: What a setting needs beside it.
BESIDE = {
    "kl_target_rest": {"kl_target_stairs": 3},
    "likelihood_sigma": {"likelihood": "gaussian"},
}


@pytest.mark.parametrize("setting", SET)
def test_a_setting_arrives_in_the_part_that_it_is_of(setting, blobs):
    from keras_devae.runs.config.flat_settings import config_from_settings

    model_name, value = SET[setting]
    settings = {"model": model_name, "network": "mlp", "network_units": (5,), "batch_size": 4}
    settings |= {"mixed_precision": "off", "steps_per_execution": 1}
    given = {**settings, setting: value, **BESIDE.get(setting, {})}
    images = data.from_arrays(blobs(4))
    config = config_from_settings(given).resolved(images)
    assert RunConfig.from_dict(config.to_dict()) == config
    model = build_model(config, images)
    found = {type(part).__name__: part for part in parts_in(model)}
    wanted = [
        (part, argument)
        for part, reached in REACHED.items()
        for argument, name in reached.items()
        if name == setting and part in found
    ]
    assert wanted
    for part, argument in wanted:
        assert getattr(found[part], argument) == value
    # And it goes through the configuration of the saved model.
    assert type(model).from_config(model.get_config()).get_config() == model.get_config()


def test_widths_of_networks_arrive(blobs):
    for cls in (models.VAE, models.DEFT, models.JointVAE, models.DeVAE):
        model = cls.for_images((8, 8, 1), 4, network="mlp", network_units=(12, 8))
        widths = [layer.units for layer in model.decoder.layers if hasattr(layer, "units")]
        assert widths[:2] == [12, 8]
        assert any(
            layer.units == 12 / (4 if cls is models.DEFT else 1)
            for layer in model.encoder.layers
            if hasattr(layer, "units")
        )


@pytest.mark.parametrize("name", VARIANTS)
def test_every_argument_of_a_variant_is_in_its_specification(name):
    """One argument is read from the text itself, all others are options with a name."""
    kind = VARIANTS[name]
    # The other half of `held-out` is a variant under a name of its own.
    others = arguments_of(kind.make) - {"dataset", "complement", *kind.options}
    assert len(others) <= 1


def test_every_argument_that_loads_data_is_a_setting_of_a_run():
    progress = {"fetch", "progress"}
    named_otherwise = {"name": "dataset", "path": "dataset"}
    for argument in set(inspect.signature(data.load).parameters) - progress:
        assert named_otherwise.get(argument, argument) in declarations()


#: Arguments of the callbacks of `--track` that the command line leaves at their defaults: whoever
#: wants other ones has the callbacks themselves.
OF_CALLBACKS = {"layer", "layers", "bins", "images", "threshold", "settings"}


@pytest.mark.parametrize(
    "name", [n for n in callbacks.__all__ if n not in ("ProgressReport", "TrainingGuard")]
)
def test_every_argument_of_what_is_tracked_is_a_setting_or_has_a_reason(name):
    set_by_runs = {
        *("dataset", "validation_dataset", "metrics", "every_steps", "directory", "tensorboard"),
    }
    left = arguments_of(getattr(callbacks, name)) - set_by_runs
    assert left <= OF_CALLBACKS
