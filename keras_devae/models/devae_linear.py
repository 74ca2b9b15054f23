"""DeVAE with arbitrary linear maps instead of the diagonal scalings, an ablation."""

import keras

from keras_devae.layers import LinearStack
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.models.devae import DeVAE


@keras.saving.register_keras_serializable(package="keras_devae")
class DeVAELinear(DeVAE):
    """DeVAE whose layers are linked by arbitrary linear maps (DeVAE paper, table 2, row c).

    A hierarchy as in `DeVAE`, but a layer may mix the dimensions of the layer before it
    (`keras_devae.layers.LinearStack`), so the disentanglement that the strong layers find need not
    hold in layer 0. Takes the arguments of `DeVAE`.

    Example:
        >>> images = kd.data.load("dsprites", image_size=32).images(range(64))
        >>> model = kd.DeVAELinear.for_images((32, 32, 1), latent_dim=10, objective="summed")
        >>> model.compile("adam")
        >>> history = model.fit(images, verbose=0)
        >>> model.encode(images, layer=2).shape
        (64, 10)
    """

    declaration = MODEL_CATALOGUE["devae_linear"]
    stack_class = LinearStack
