"""Runs to report on, made without training, and a reader of pages."""

import html.parser

import numpy as np
import pytest

from keras_devae.runs import RunConfig, RunDirectory
from keras_devae.runs.config.run_config import load_dataset

ENVIRONMENT = {"keras_devae": "0.1.0", "python": "3.12.0", "backend": "?", "device": "cpu"}
HISTORY = [
    {"step": 5, "loss": 40.0, "reconstruction_loss": 39.0, "kl_loss": 1.0},
    {"step": 10, "loss": 30.0, "reconstruction_loss": 28.0, "kl_loss": 2.0},
]
SCORES = {
    "mig.score": 0.31,
    "kl.total": 4.0,
    "reconstruction_error.negative_log_likelihood": 28.0,
    "reconstruction_error.squared_error": 6.4,
}


class Page(html.parser.HTMLParser):
    """What a page holds: `headings` (level, text), `images` and `links` (attributes), `tags`."""

    #: Elements without an end.
    VOID = ("meta", "link", "img", "br", "wbr")

    def __init__(self, text):
        super().__init__()
        self.headings, self.images, self.links, self.tags, self.open = [], [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag == "img":
            self.images.append(dict(attributes))
        elif tag == "a":
            self.links.append(dict(attributes))
        elif tag in ("h1", "h2", "h3", "h4"):
            self.headings.append((int(tag[1]), ""))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("h1", "h2", "h3", "h4"):
            level, text = self.headings.pop()
            self.headings.append((level, text + data))


@pytest.fixture(scope="session")
def read_page():
    """Parses a page, and fails where an element is not closed where it should be."""
    return Page


@pytest.fixture(scope="session")
def squares(blobs):
    """64 images of a square at random places, and its row and column."""
    images = blobs(64)
    factors = [[image.any(1).argmax(), image.any(0).argmax()] for image in images[..., 0]]
    return images, np.array(factors)


@pytest.fixture(scope="session")
def make_run(tiny, squares):
    """Makes the folder of a run of a model whose code depends on the images, without training."""

    def make(folder, method="devae", factors=True, scores=SCORES, seed=0, **settings):
        images, places = squares
        file = folder.parent / "images.npz"
        named = {"factors": places, "factor_names": ["row", "<column>"]} if factors else {}
        np.savez(file, images=images, **named)
        config = RunConfig(
            model=method,
            dataset=f"npz:{file}",
            latent_dim=3,
            steps=10,
            network=None if method in ("pca", "ica") else "mlp",
            evaluation_images=64,
            seed=seed,
            **settings,
        )
        dataset = load_dataset(config)
        config = config.resolved(dataset)
        model = informative(tiny(method), images)
        run = RunDirectory(folder)
        run.path.mkdir()
        run.write_record(config, dataset.provenance, ENVIRONMENT)
        run.write_history(HISTORY)
        if scores:
            layers = [{"layer": i, **scores} for i in range(model.num_layers)]
            run.write_metrics({"layers": layers, "settings": {"images": 64}})
        model.save(run.model_file)
        return run, model, config, dataset

    return make


def informative(model, images):
    """Makes the code of an untrained model follow its images."""
    if not model.trainable:
        model.fit(images, verbose=0)
    for layer in model.encoder.layers:
        if layer.name.startswith("z_mean"):
            layer.kernel.assign(8 * layer.kernel)
        elif layer.name.startswith("z_log_var"):
            layer.bias.assign(layer.bias - 3)
    return model
