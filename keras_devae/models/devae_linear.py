"""DeVAE with arbitrary linear maps in place of the diagonal scalings, an ablation."""

import keras

from keras_devae.layers import LinearStack
from keras_devae.models.devae import DeVAE


@keras.saving.register_keras_serializable(package="keras_devae")
class DeVAELinear(DeVAE):
    """DeVAE whose layers are linked by arbitrary linear maps (DeVAE paper, table 2, row c).

    A hierarchy as in `DeVAE`, but nothing keeps a layer from mixing the dimensions of the one
    before it (`keras_devae.layers.LinearStack`): what the strong layers find need not hold in layer
    0. Arguments are those of `DeVAE`.
    """

    def _make_stack(self):
        stack = LinearStack(self.num_layers)
        stack.build((None, self.latent_dim))
        return stack
