"""The figures of a run's report."""

import dataclasses
from pathlib import Path

from keras_devae import figures
from keras_devae.experiments.report.words import counted, listed, percent
from keras_devae.experiments.run_pictures import history_figure
from keras_devae.latents import information_of_layers
from keras_devae.metrics.suite import draw_sample
from keras_devae.pictures import reconstruction_figure, sample_figure, traversal_figure

#: Latent dimensions that a figure shows at most.
SHOWN = 12
#: Images that a scatter of a code against a factor shows.
_POINTS = 1000


@dataclasses.dataclass(frozen=True)
class Picture:
    """A figure with its words.

    Attributes:
        name: Short name; that of its file without the suffix.
        file: The PNG file.
        title: Heading above it.
        caption: Sentence below it.
        alt: What it shows, for those who cannot see it.
    """

    name: str
    file: Path
    title: str
    caption: str
    alt: str


def draw_pictures(run, folder, model, dataset, latents, history, images, seed, encoding):
    """Draws the figures of a run.

    Args:
        run: The `RunDirectory`.
        folder: Folder to write them to.
        model: Its model.
        dataset: Its data set, with or without factors.
        latents: List of `keras_devae.latents.Latents`, one for each layer.
        history: Rows of its history; without any, there are no learning curves.
        images: Images that information is measured on.
        seed: Integer seed of their choice.
        encoding: The `keras_devae.encoding.Encoding` of the data set.

    Returns:
        List of `Picture`, in the order of the report.
    """
    drawn = [
        _traversal(model, dataset, latents[0], seed),
        *_information(model, dataset, latents, images, seed, encoding),
        _reconstructions(model, dataset, seed),
        _samples(model, dataset, seed),
        *_learning_curves(history),
    ]
    pictures = []
    for name, figure, *words in drawn:
        file = figures.save(figure, Path(folder) / f"{name}.png")
        pictures.append(Picture(name, file, *words))
    return pictures + _tracked(run)


def _traversal(model, dataset, latents, seed):
    figure = traversal_figure(model, dataset, seed=seed, latents=latents)
    caption = (
        "Each row changes one latent dimension of the same image, from -2 to 2, and leaves the "
        "others alone. A disentangled dimension changes one thing only."
    )
    if model.num_categories:
        caption += " The last row goes through the categories instead."
    # What is beside the rows, with as many of them as were drawn.
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    names = [" ".join(label.split()) for label in labels]
    alt = f"A row of images for each latent, from the top: {listed(names)}."
    return "traversal", figure, "Latent traversals", caption, alt


def _reconstructions(model, dataset, seed):
    figure = reconstruction_figure(model, dataset, seed=seed)
    caption = "Images of the data set, and what each latent layer makes of them."
    layers = counted(model.num_layers, "row of reconstructions", "rows of reconstructions")
    alt = f"A row of ten images, and below it {layers}, one for each latent layer."
    return "reconstructions", figure, "Reconstructions", caption, alt


def _samples(model, dataset, seed):
    caption = "Decoded from codes drawn from the prior: what the model takes for such images."
    alt = "A square of eight by eight images made by the decoder."
    return "samples", sample_figure(model, dataset, seed=seed), "Samples", caption, alt


def _learning_curves(history):
    if not history:
        return []
    first, last = (row.get("loss") for row in (history[0], history[-1]))
    alt = "Curves of the losses by training step."
    if first is not None:
        alt += f" The loss goes from {first:,.1f} to {last:,.1f}."
    caption = (
        "Losses in nats an image, each the mean since the point before; settings that move, such "
        "as beta, as they were at that step."
    )
    return [("learning-curves", history_figure(history), "Learning curves", caption, alt)]


def _information(model, dataset, latents, images, seed, encoding):
    first = latents[0]
    if not first.factor_names or not len(first.active):
        return []
    # Of samples: a DeVAE's means tell the same in every layer, being only scaled.
    information, entropies, _ = information_of_layers(model, dataset, images, seed, encoding)
    drawn = [_information_map(first, information, entropies)]
    if len(latents) > 1:
        drawn.append(_over_layers(first, information, entropies))
    pairs = [(d, f) for d in first.active if (f := first.factor_of(d)) is not None]
    return drawn + ([_scatter(encoding, dataset, first, pairs[:6], seed)] if pairs else [])


def _information_map(latents, information, entropies):
    shown = latents.active[:SHOWN]
    layers = [f"layer {i}" for i in range(len(information))]
    figure = figures.information_map(
        information[:, shown] if len(layers) > 1 else information[0, shown],
        entropies,
        latents.factor_names,
        latent_names=[f"z{d}" for d in shown],
        layer_names=layers if len(layers) > 1 else None,
    )
    which = "each active latent dimension"
    if len(latents.active) > SHOWN:
        which = f"the {SHOWN} strongest of {len(latents.active)} active latent dimensions"
    caption = (
        f"Mutual information of {which} with each factor, as a share of the "
        "factor's entropy, of samples of the posterior: less than the table's, which is of means. "
        "Disentangled: one dark cell for each factor, in rows of their own."
    )
    shares = information[0] / entropies
    held = [_pair(latents, d, shares) for d in shown if latents.factor_of(d) is not None]
    alt = f"A table of shades. In layer 0, {listed(held)}." if held else "A table of pale shades."
    return "information-map", figure, "Which latent holds which factor", caption, alt


def _pair(latents, dimension, shares):
    factor = latents.factor_of(dimension)
    share = shares[dimension, latents.factor_names.index(factor)]
    return f"z{dimension} tells {percent(share)} of {factor}"


def _over_layers(latents, information, entropies):
    layers = [f"layer {i}" for i in range(len(information))]
    figure = figures.information_over_layers(
        information, entropies, latents.factor_names, layer_names=layers
    )
    caption = "What each latent layer still tells of each factor, of samples of the posterior."
    best = information.max(axis=1) / entropies
    ends = [
        f"{name} from {percent(first)} to {percent(last)}"
        for name, first, last in zip(latents.factor_names, best[0], best[-1], strict=True)
    ]
    alt = f"A line for each factor. Of the best latent, from the first to the last: {listed(ends)}."
    return "information-over-layers", figure, "Information over the layers", caption, alt


def _scatter(encoding, dataset, latents, pairs, seed):
    rows = draw_sample(len(dataset), min(_POINTS, len(dataset)), seed).plain
    columns = [dataset.factor_names.index(factor) for _, factor in pairs]
    figure = figures.factor_scatter(
        encoding.codes(rows, 0)[:, [d for d, _ in pairs]],
        dataset.factors(rows)[:, columns],
        [f"z{d}" for d, _ in pairs],
        [factor for _, factor in pairs],
    )
    caption = "Codes of images against the factor that the latent dimension holds most of."
    alt = f"A panel each for {listed([f'z{d} against {factor}' for d, factor in pairs])}."
    return "factor-scatter", figure, "Codes against factors", caption, alt


def _tracked(run):
    """Returns the figures that were drawn while the run trained."""
    known = (
        (
            "information",
            "Information while training",
            "What each latent dimension tells of each factor, as a share of the factor's entropy.",
            "A panel for each factor, with a line for each latent dimension by training step.",
        ),
        (
            "kl",
            "KL divergence while training",
            "KL divergence of each latent dimension from the prior.",
            "A line for each latent dimension by training step.",
        ),
    )
    files = {name: run.tracking / f"{name}.png" for name, *_ in known}
    return [Picture(name, files[name], *words) for name, *words in known if files[name].is_file()]
