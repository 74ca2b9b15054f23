"""Images of what each latent dimension does, while a model trains."""

from __future__ import annotations

from typing import Any

from keras_devae import checks
from keras_devae.callbacks.measuring import Folder, MeasuringCallback
from keras_devae.figures.of_models import traversal_figure


class TraversalCallback(MeasuringCallback):
    """Draws latent traversals every `every_steps` steps.

    Args:
        dataset: The data set; it needs no factors.
        every_steps: Steps between figures; default 5,000.
        layer: Number of the latent layer; default 0.
        seed: Seed of the starting image, and of those that order the rows by KL; default 0.
        directory: Folder for `traversal-step-00005000.png` and so on, or `None` (default).
        tensorboard: Folder for TensorBoard event files, or `None` (default).

    Raises:
        UsageError: If a setting is out of range; from `fit`, if the model has no decoder.

    Example:
        >>> data = kd.data.load("dsprites", image_size=32)
        >>> model = kd.BetaVAE.for_images((32, 32, 1), beta=1)
        >>> model.compile("adam")
        >>> traversals = kd.callbacks.TraversalCallback(data, every_steps=5, directory="drawn")
        >>> history = model.fit(data.batches(64, steps=5), callbacks=[traversals], verbose=0)
        >>> sorted(file.name for file in traversals.directory.iterdir())
        ['traversal-step-00000000.png', 'traversal-step-00000005.png']
    """

    name = "traversal"

    def __init__(
        self,
        dataset: Any,
        every_steps: int = 5000,
        layer: int = 0,
        seed: int = 0,
        directory: Folder = None,
        tensorboard: Folder = None,
    ) -> None:
        checks.check_dataset(dataset)
        checks.at_least("seed", seed, 0)
        super().__init__(every_steps, directory, tensorboard)
        self.dataset, self.layer, self.seed = dataset, layer, seed

    def measure(self, model: Any, step: int) -> list[dict[str, Any]]:
        """Draws one figure, and returns no rows."""
        figure = traversal_figure(model, self.dataset, layer=self.layer, seed=self.seed)
        self.show(figure, f"{self.name}-step-{step:08d}.png")
        return []
