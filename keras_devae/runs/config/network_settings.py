"""What the settings of the networks must fulfil together, and what they are by default."""

from keras_devae import checks
from keras_devae.errors import UsageError
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.models.declarations import (
    NETWORK_NAMES,
    RESIZABLE_NETWORKS,
    check_penalised_decoder,
)
from keras_devae.models.network_names import check_network_name
from keras_devae.runs.config.settings import ModelSettings

#: Networks that do not take images of every size.
_CONVOLUTIONAL = ("convolutional", "residual")
#: Settings of the decoder, and of the pixels that it describes.
_OF_DECODERS = ("decoder", "likelihood", "likelihood_sigma")


def check_networks(model: ModelSettings) -> None:
    """Checks network and likelihood, what belongs to one kind of them only, and options of size."""
    declaration = MODEL_CATALOGUE[model.name]
    declaration.check_latent_dim(model.options, model.latent_dim)
    check_penalised_decoder(declaration, model.jacobian_penalty)
    fitted = declaration.fitted
    for setting in () if declaration.decodes else _OF_DECODERS:
        value = getattr(model, setting)
        if value is not None:
            raise UsageError(
                f"{model.name} has no decoder. Leave `{setting}` out. Received: {value}."
            )
    if model.network is not None and fitted:
        checks.one_of("network", model.network, ("linear",))
    elif model.network is not None:
        check_network_name(model.network)
    if model.decoder is not None and fitted:
        raise UsageError(
            f"{model.name} is linear and has a decoder of its own. Leave `decoder` out. "
            f"Received: {model.decoder}."
        )
    network = model.network or _default_network(model)
    if model.network_units is not None and not (
        model.network_units and network in RESIZABLE_NETWORKS
    ):
        raise UsageError(
            "`network_units` needs at least one width, and `network` set to "
            f"{' or '.join(RESIZABLE_NETWORKS)}. "
            f"Received: {list(model.network_units)}, network {network}."
        )
    if model.likelihood_sigma is not None and (fitted or model.likelihood != "gaussian"):
        raise UsageError(
            "`likelihood_sigma` needs `likelihood` set to gaussian, and a model that is "
            f"trained. Received: likelihood {model.likelihood}, model {model.name}."
        )


def chosen_likelihood(model: ModelSettings, image_shape: tuple[int, int, int]) -> str | None:
    """Returns the name of the likelihood for images of a shape; `None` without a decoder."""
    declaration = MODEL_CATALOGUE[model.name]
    if not declaration.decodes:
        return None
    binary = image_shape[-1] == 1 and not declaration.fitted
    return model.likelihood or ("bernoulli" if binary else "gaussian")


def chosen_network(model: ModelSettings, image_shape: tuple[int, int, int]) -> str:
    """Returns the name of the network, after a check that it takes images of a shape."""
    network = model.network or _default_network(model)
    if network in _CONVOLUTIONAL:
        checks.check_convolutional_size(image_shape)
    return network


def _default_network(model):
    return "linear" if MODEL_CATALOGUE[model.name].fitted else NETWORK_NAMES[0]
