"""The figures of a run's report."""

import dataclasses
from pathlib import Path

from keras_devae import figures
from keras_devae.figures.of_models import reconstruction_figure, sample_figure, traversal_figure
from keras_devae.figures.of_models.factor_information import map_of, over_layers_of
from keras_devae.metrics.rows import draw_sample
from keras_devae.reports.formatting import counted, listed, percent
from keras_devae.reports.plots import history_figure

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


def draw_run_figures(run, folder, model, dataset, latents, history, seed, encoding):
    """Draws the figures of a run.

    Args:
        run: The `RunDirectory`.
        folder: Folder to write them to.
        model: Its model.
        dataset: Its data set, with or without factors.
        latents: List of `keras_devae.evaluation.latents.Latents`, one for each layer.
        history: Rows of its history; without any, there are no learning curves.
        seed: Integer seed of the images shown.
        encoding: The `keras_devae.evaluation.encoding.Encoding` of the data set.

    Returns:
        List of `Picture`, in the order of the report.
    """
    drawn = [
        _traversal(model, dataset, latents[0], seed),
        *_information(dataset, latents, seed, encoding),
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


def _information(dataset, latents, seed, encoding):
    first = latents[0]
    if not first.factor_names or not len(first.active):
        return []
    drawn = [_information_map(latents)]
    if len(latents) > 1:
        drawn.append(_over_layers(latents))
    pairs = [(d, f) for d in first.active if (f := first.factor_of(d)) is not None]
    return drawn + ([_scatter(encoding, dataset, first, pairs[:6], seed)] if pairs else [])


def _information_map(latents):
    first, count = latents[0], len(latents[0].active)
    shown = first.active[:SHOWN]
    which = "each active latent dimension"
    if count > SHOWN:
        which = f"the {SHOWN} strongest of {count} active latent dimensions"
    caption = (
        f"Mutual information of {which} with each factor, as a share of the factor's entropy, of "
        f"the posterior {first.representation}s and beyond chance, as in the table. Disentangled: "
        "one dark cell for each factor, in rows of their own."
    )
    held = [_pair(first, d) for d in shown if first.factor_of(d) is not None]
    alt = f"A table of shades. In layer 0, {listed(held)}." if held else "A table of pale shades."
    return (
        "information-map",
        map_of(latents, shown),
        "Which latent holds which factor",
        caption,
        alt,
    )


def _pair(latents, dimension):
    factor = latents.factor_of(dimension)
    return f"z{dimension} tells {percent(latents.share_of(dimension, factor))} of {factor}"


def _over_layers(latents):
    first, last = latents[0], latents[-1]
    caption = (
        "What the best active latent dimension of each layer tells of each factor, of the "
        f"posterior {first.representation}s, as in the table. Layers that only scale the code, "
        "as DeVAE's do, tell the same as long as the latent is active there. How much their noise "
        "hides: keras-devae plot information-over-layers RUN --representation sample."
    )
    best = (first.best_shares, last.best_shares)
    ends = [
        f"{name} from {percent(start)} to {percent(end)}"
        for name, start, end in zip(first.factor_names, *best, strict=True)
    ]
    alt = f"A line for each factor. Of the best latent, from the first to the last: {listed(ends)}."
    title = "Information over the layers"
    return "information-over-layers", over_layers_of(latents), title, caption, alt


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
            "What the posterior means of each latent dimension tell of each factor, as a share of "
            "the factor's entropy, chance included.",
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
