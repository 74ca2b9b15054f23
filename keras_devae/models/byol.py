"""BYOL: contrastive learning without negatives, of an encoder alone."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_devae.checks import Tensor
from keras_devae.layers import MovingTarget, RandomViews, derived_seeds
from keras_devae.losses import cosine_distance, spread_of_directions
from keras_devae.models.augmentation_names import check_colours
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.models.image_model import ImageModel
from keras_devae.models.loss_terms import LossTerms
from keras_devae.networks import projection_mlp

#: Spread of the codes' directions below which they count as collapsed.
_COLLAPSED = 0.01


@keras.saving.register_keras_serializable(package="keras_devae")
class BYOL(ImageModel):
    """BYOL, Bootstrap Your Own Latent (Grill et al. 2020), as Cao et al. (2022) study it.

    Two random views of each image go through the encoder, a projector and a predictor; the same
    views also go through a target, whose encoder and projector have the moving average of these
    weights. Each prediction is compared with the target's projection of the other view: the loss
    is the sum of both `2 - 2 cos`. No gradient reaches the target. There is no decoder and no
    posterior: the model encodes, and cannot reconstruct or sample images.

    `encode` returns the representation, the encoder's output before the projector, of the images
    as they are. Codes come to ignore what the augmentations change, so these are chosen by the
    factors that are to be found; the default keeps all factors of dSprites and Shapes3D:

    | augmentation | what codes cannot hold |
    | --- | --- |
    | `brightness`, `contrast`, `blur` | brightness, contrast, sharpness |
    | `noise`, `erase` | nothing |
    | `shift` | position |
    | `crop` | position, size |
    | `flip`, `rotate` | orientation, position |
    | `hue`, `saturation`, `greyscale` (3 channels) | hue, saturation, both |

    `fit` shows `spread`, how far the directions of a batch's codes differ: 1 if they are spread
    evenly, 0 if they have collapsed; and `target_decay`. Departures from Grill et al.: the
    representation has `latent_dim` numbers, 10 by default as for the other models, where both
    papers have many more (`keras_devae.metrics.med` with `top_k` is for those); networks and
    optimizer are this package's, projector and predictor are narrower than 4096 and 256, and the
    augmentations are others. The target moves when a step begins, towards the weights that the step
    before it has left, so the saved target is one update behind. Batch normalisation compares the
    images of a batch: on several devices it needs JAX.

    Args:
        encoder: See `ImageModel`.
        target_decay: Share of the target's weights that stay in each step at the start, from 0 to
            1; default 0.996.
        target_schedule: `"cosine"` (default): the decay rises to 1 along half a cosine, as in
            section 3.3 of Grill et al.; `"constant"`: it stays.
        target_decay_steps: Steps until it is 1, at least 1; default 300,000.
        projector_units: Widths of the projector's hidden layers and, last, of the projection;
            default `(512, 128)`.
        predictor_units: Widths of the predictor's hidden layers; default `(512,)`.
        augmentations: Names of augmentations, in the order of their use; default `("brightness",
            "contrast", "blur", "noise")`.
        augmentation_strength: Scales the augmentations, at least 0; default 1.
        seed: See `ImageModel`.
        **kwargs: See `ImageModel`.

    Raises:
        UsageError: If an argument is out of range, or images without 3 channels meet augmentations
            of colours.

    Example:
        >>> images = kd.data.load("dsprites", image_size=32).images(range(64))
        >>> model = kd.BYOL.for_images((32, 32, 1), augmentations=["blur", "shift"])
        >>> model.compile("adam")
        >>> history = model.fit(images, verbose=0).history
        >>> model.encode(images).shape, model.decoder is None
        ((64, 10), True)
    """

    declaration = MODEL_CATALOGUE["byol"]
    # Batch normalisation, in training.
    mean_over_images = False
    penalty_names = ("prediction",)
    state_names = ("spread", "target_decay")

    def __init__(
        self,
        encoder: keras.Model,
        target_decay: float = declaration.defaults["target_decay"],
        target_schedule: str = declaration.defaults["target_schedule"],
        target_decay_steps: int = declaration.defaults["target_decay_steps"],
        projector_units: Sequence[int] = declaration.defaults["projector_units"],
        predictor_units: Sequence[int] = declaration.defaults["predictor_units"],
        augmentations: Sequence[str] = declaration.defaults["augmentations"],
        augmentation_strength: float = declaration.defaults["augmentation_strength"],
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        options = self.declared(locals())
        super().__init__(encoder, seed=seed, **kwargs)
        self.set_options(**options)
        check_colours(self.augmentations, self.image_shape[-1])
        *seeds, views_seed = derived_seeds(self.seed, 3, purpose=3)
        *hidden, width = self.projector_units
        for name, sizes, network_seed in zip(
            ("projector", "predictor"),
            ((self.latent_dim, hidden, width), (width, self.predictor_units, width)),
            seeds,
            strict=True,
        ):
            network = projection_mlp(*sizes, name, network_seed, self.dtype_policy)
            setattr(self, name, network)
        self.views = RandomViews(self.augmentations, self.augmentation_strength, views_seed)
        self.target_encoder = MovingTarget(self.encoder)
        self.target_projector = MovingTarget(self.projector)

    def loss_terms(self, pixels: Tensor, outputs: dict[str, Tensor], training: bool) -> LossTerms:
        """Computes the loss of one batch, see the class; a training step first moves the target."""
        decay = self.decay_at(self.steps.step)
        if training:
            self.target_encoder.follow(self.encoder, decay)
            self.target_projector.follow(self.projector, decay)
        first, second = (self.views(pixels, training=training, number=i) for i in range(2))
        codes = [self._codes(view, training) for view in (first, second)]
        predictions = [self._prediction(code, training) for code in codes]
        targets = [self.target_projection(view, training) for view in (second, first)]
        losses = [cosine_distance(*pair) for pair in zip(predictions, targets, strict=True)]
        return LossTerms(
            penalties={"prediction": (1.0, ops.mean(losses[0] + losses[1]))},
            state={"spread": spread_of_directions(codes[0]), "target_decay": decay},
        )

    def decay_at(self, step: Tensor) -> Tensor:
        """Returns the share of the target's weights that stay, a scalar, after a number of steps.

        `1 - (1 - target_decay) (cos(pi k / K) + 1) / 2`, 1 from `K = target_decay_steps` on.
        """
        if self.target_schedule == "constant":
            return ops.convert_to_tensor(self.target_decay, dtype="float32")
        done = ops.cast(ops.minimum(step, self.target_decay_steps), "float32")
        falling = (ops.cos(done * (math.pi / self.target_decay_steps)) + 1) / 2
        return 1 - (1 - self.target_decay) * falling

    def _codes(self, view, training):
        return ops.cast(self.encoder(view, training=training)["z_mean"], "float32")

    def _prediction(self, codes, training):
        return self.predictor(self.projector(codes, training=training), training=training)

    def target_projection(self, view: Tensor, training: bool = False) -> Tensor:
        """Returns the target's projections of views, float32 `(batch, width)`."""
        encoded = self.target_encoder.outputs_of(self.encoder, view, training)
        codes = ops.cast(encoded["z_mean"], "float32")
        return self.target_projector.outputs_of(self.projector, codes, training)

    def note_initial_weights(self) -> None:
        """Begins the target anew as a copy."""
        self.target_encoder.copy_from(self.encoder)
        self.target_projector.copy_from(self.projector)

    def training_warnings(self, logs: dict[str, Any]) -> list[str]:
        """Returns a sentence if the codes have collapsed."""
        spread = float(logs.get("spread", math.inf))
        if not spread < _COLLAPSED:
            return []
        return [
            f"The codes have collapsed: their directions differ by {spread:.2g}, where 1 is an "
            "even spread, so they carry almost no information about the images. Raise "
            "`target_decay`, lower the learning rate, or choose larger batches or other "
            "`augmentations`."
        ]
