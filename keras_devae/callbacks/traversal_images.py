"""Pictures of what each latent dimension does, while a model trains."""

from keras_devae import checks, figures
from keras_devae.callbacks.measuring import MeasuringCallback
from keras_devae.figures.of_models import traversal_figure


class TraversalCallback(MeasuringCallback):
    """Draws latent traversals every so many steps.

    Args:
        dataset: The data set; it needs no factors.
        every_steps: Steps between pictures; default 5,000.
        layer: Number of the latent layer; default 0.
        seed: Integer seed of the image to start from and of those that the KL divergences, which
            order the rows, are computed from; default 0.
        directory: Folder for `traversal-step-00005000.png` and so on, or `None` (default).
        tensorboard: Folder for TensorBoard event files, or `None` (default).
    """

    name = "traversal"

    def __init__(
        self, dataset, every_steps=5000, layer=0, seed=0, directory=None, tensorboard=None
    ):
        checks.check_dataset(dataset)
        checks.at_least("seed", seed, 0)
        super().__init__(every_steps, directory, tensorboard)
        self.dataset, self.layer, self.seed = dataset, layer, seed

    def measure(self, model, step):
        """Draws one picture, and has no rows to add."""
        figure = traversal_figure(model, self.dataset, layer=self.layer, seed=self.seed)
        self.show_image(figure)
        if self.directory is not None:
            figures.save(figure, self.directory / f"{self.name}-step-{step:08d}.png")
        return []
