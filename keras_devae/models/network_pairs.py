"""Builds the encoder and the decoder for `for_images`, by name or by a user's function."""

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_devae.checks import one_of, shown, widths
from keras_devae.errors import FailureError, UsageError, ran_out_of_memory
from keras_devae.layers import derived_seeds
from keras_devae.models.declarations import DECODER_NAMES, RESIZABLE_NETWORKS
from keras_devae.models.network_checks import check_decoder, check_encoder
from keras_devae.models.network_names import check_network_name, function_of, is_function_name
from keras_devae.networks import DECODERS, NETWORKS

#: Names of the arguments that a user's function may take.
_ARGUMENTS = (
    "decoder_input_dim",
    "groups",
    "image_shape",
    "latent_dim",
    "num_categories",
    "seed",
    # Of one model each: FlowVAE and LadderVAE.
    "flow_parameters",
    "layer_dims",
)


def check_network_function(name: str) -> None:
    """Raises a `UsageError` unless there is such a function that needs no unknown argument."""
    _named_arguments(name, function_of(name), dict.fromkeys(_ARGUMENTS))


def build_networks(
    network: str | Callable[..., Any],
    decoder: str | None,
    units: Sequence[int] | None,
    image_shape: tuple[int, int, int],
    encoder_options: Mapping[str, Any],
    decoder_input_dim: int | None,
    seed: int | None,
    has_posterior: bool = True,
    adapted_decoder: Callable[[keras.Model], keras.Model] = lambda decoder: decoder,
) -> tuple[keras.Model, keras.Model | None]:
    """Builds an encoder and a decoder that fit each other, see `ImageModel.for_images`.

    The decoder is `None` without a `decoder_input_dim`. A user's encoder need not return
    log-variances unless the model has a posterior. `adapted_decoder` is called with a decoder that
    is not the user's own.
    """
    decodes = decoder_input_dim is not None
    if decoder is not None and not decodes:
        raise UsageError(
            f"The model has no decoder. Leave `decoder` out. Received: {shown(decoder)}."
        )
    if decoder is not None:
        one_of("decoder", decoder, DECODER_NAMES)
    if not callable(network):
        check_network_name(network)
    sizes = _sizes_of_network(network, units)
    encoder_seed, decoder_seed = derived_seeds(seed, 2)
    if callable(network) or is_function_name(network):
        arguments = {
            "image_shape": image_shape,
            # A function that returns a decoder all the same needs a width.
            "decoder_input_dim": decoder_input_dim or encoder_options["latent_dim"],
            "num_categories": 0,
            "groups": 1,
            "seed": seed,
            **{name: value for name, value in encoder_options.items() if name in _ARGUMENTS},
        }
        encoder, own_decoder = _networks_of_user(
            network, arguments, decodes and decoder is None, has_posterior
        )
    else:
        encoder = NETWORKS[network][0](image_shape, seed=encoder_seed, **sizes, **encoder_options)
    if not decodes:
        return encoder, None
    if decoder is not None:
        named = DECODERS[decoder](decoder_input_dim, image_shape, seed=decoder_seed)
        return encoder, adapted_decoder(named)
    if callable(network) or is_function_name(network):
        return encoder, own_decoder
    make_decoder = NETWORKS[network][1]
    named = make_decoder(decoder_input_dim, image_shape, seed=decoder_seed, **sizes)
    return encoder, adapted_decoder(named)


def _sizes_of_network(network, units):
    """Returns the size arguments for a pair of networks.

    Raises a `UsageError` if `units` are given with a network of fixed widths, or are not widths.
    """
    if units is None:
        return {}
    if network not in RESIZABLE_NETWORKS or not widths("network_units", units):
        raise UsageError(
            "`network_units` are at least one width of the network "
            f"{' or '.join(map(repr, RESIZABLE_NETWORKS))}. Received: {units!r}, "
            f"network={network!r}."
        )
    return {"units": widths("network_units", units)}


def _networks_of_user(network, arguments, needs_decoder, has_posterior):
    """Calls a user's function and returns its encoder, and its decoder or `None`, checked."""
    function = network if callable(network) else function_of(network)
    name = network if isinstance(network, str) else getattr(network, "__qualname__", repr(network))
    try:
        returned = function(**_named_arguments(name, function, arguments))
    except (UsageError, FailureError):
        raise
    except Exception as error:
        if ran_out_of_memory(error):
            raise
        raise UsageError(f"The network {name} failed: {type(error).__name__}: {error}.") from error
    encoder, decoder = _pair(name, returned, needs_decoder)
    latent_dim, image_shape = arguments["latent_dim"], arguments["image_shape"]
    width = check_encoder(encoder, has_posterior)
    if width != latent_dim:
        raise UsageError(
            f"The network {name} must return an encoder whose `z_mean` has `latent_dim` numbers, "
            f"{latent_dim}. Received: {width}."
        )
    if tuple(encoder.input_shape[1:]) != image_shape:
        raise UsageError(
            f"The network {name} must return an encoder of images of `image_shape`, {image_shape}. "
            f"Received: an encoder of {tuple(encoder.input_shape[1:])}."
        )
    _check_is_restored(f"encoder of {name}", encoder)
    if decoder is not None:
        check_decoder(decoder, image_shape, latent_dim, arguments["decoder_input_dim"])
        _check_is_restored(f"decoder of {name}", decoder)
    return encoder, decoder


def _named_arguments(name, function, arguments):
    """Returns the arguments that a function names, `None` if not known, or all if it takes any."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return arguments
    taken = {p.name: arguments.get(p.name) for p in parameters if p.name in _ARGUMENTS}
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        taken |= arguments
    for parameter in parameters:
        by_keyword = parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        is_needed = parameter.default is parameter.empty and parameter.kind not in (
            parameter.VAR_KEYWORD,
            parameter.VAR_POSITIONAL,
        )
        if is_needed and not (by_keyword and parameter.name in taken):
            # In quotes, names do not turn into options of the command line.
            raise UsageError(
                f"The network {name} needs the argument '{parameter.name}', which it is not given. "
                f"It may take {', '.join(map(repr, _ARGUMENTS))}."
            )
    return taken


def _pair(name, returned, needs_decoder):
    """Returns the encoder and the decoder, or `None`, in what a user's function has returned."""
    if isinstance(returned, keras.Model) and not needs_decoder:
        return returned, None
    is_pair = isinstance(returned, (tuple, list)) and len(returned) == 2
    if not is_pair or not all(isinstance(part, keras.Model) for part in returned):
        raise UsageError(
            f"The network {name} must return two Keras models, (encoder, decoder). Received: "
            f"{shown(returned)}."
        )
    return tuple(returned)


def _check_is_restored(what, network):
    """Raises a `UsageError` unless a network's configuration rebuilds it, as loading a file does.

    The copy must have weights of the same shapes, and with equal weights the same outputs.
    """
    hint = (
        "Register each layer of your own with keras.saving.register_keras_serializable, give it a "
        "`get_config` with all arguments of its constructor, and use layers instead of lambdas."
    )
    try:
        described = json.dumps(keras.saving.serialize_keras_object(network))
        copy = keras.saving.deserialize_keras_object(json.loads(described))
    except Exception as error:
        if ran_out_of_memory(error):
            raise
        # Keras wraps the reason in the configuration of the whole network.
        reason = str(error).rpartition("Exception encountered: ")[2]
        reason = " ".join(reason.partition(" Full object config")[0].split())[:300].rstrip(".")
        raise UsageError(
            f"The {what} cannot be saved and loaded ({type(error).__name__}: {reason}). {hint}"
        ) from error
    shapes = [[tuple(w.shape) for w in each.weights] for each in (network, copy)]
    if shapes[0] != shapes[1]:
        raise UsageError(
            f"The {what} cannot be saved and loaded: its configuration builds weights of other "
            f"shapes. {hint}"
        )
    copy.set_weights(network.get_weights())
    images = np.random.default_rng(0).random((1, *network.input_shape[1:]), np.float32)
    first, again, loaded = (_outputs(each, images) for each in (network, network, copy))
    if _equal(first, again) and not _equal(first, loaded):
        raise UsageError(
            f"The {what} cannot be saved and loaded: built from its configuration, with the same "
            f"weights, it computes something else. {hint}"
        )


def _outputs(network, inputs):
    outputs = keras.tree.flatten(network(ops.convert_to_tensor(inputs), training=False))
    return [ops.convert_to_numpy(ops.cast(x, "float32")) for x in outputs]


def _equal(outputs, others):
    pairs = zip(outputs, others, strict=True)
    return all(np.allclose(a, b, 1e-2, 1e-3, equal_nan=True) for a, b in pairs)
