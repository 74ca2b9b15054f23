"""The figures of a run's report."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_devae import figures
from keras_devae.checks import counted
from keras_devae.data import Dataset
from keras_devae.evaluation.encoding import Encoding
from keras_devae.evaluation.measured_latents import Latents
from keras_devae.evaluation.wording import listed, percent
from keras_devae.figures.mosaics import to_rgb
from keras_devae.figures.of_models import sample_figure
from keras_devae.figures.of_models.decoded_images import reconstruct
from keras_devae.figures.of_models.factor_information import against_factors, map_of, over_layers_of
from keras_devae.figures.of_models.latent_traversals import traverse
from keras_devae.figures.saving import save_rows
from keras_devae.files import is_there
from keras_devae.metrics.rows import draw_sample
from keras_devae.models import VAE
from keras_devae.reports.plots import history_figure, tracked_scores_figure
from keras_devae.runs.folder import RunDirectory
from keras_devae.runs.layout import ROWS

#: Most latent dimensions that a figure shows.
SHOWN = 12
#: Number of images in a scatter plot of a code against a factor.
_POINTS = 1000
#: Name, title, caption and description of the figures that are drawn during training.
_TRACKED = (
    (
        "information",
        "Information while training",
        "How much information each latent dimension (its posterior mean where there is a "
        "posterior) carries about each factor, as a share of the factor's entropy. Chance is not "
        "subtracted here.",
        "A panel for each factor, with a line for each latent dimension over the training steps.",
    ),
    (
        "kl",
        "KL divergence while training",
        "KL divergence of each latent dimension from the prior.",
        "A line for each latent dimension over the training steps.",
    ),
)


@dataclasses.dataclass(frozen=True)
class _Drawn:
    """A figure with its words; of rows of `images`, also a name and a remark for each row."""

    name: str
    figure: Any
    title: str
    caption: str
    alt: str
    images: Any = None
    rows: Sequence[tuple[str, str]] = ()


@dataclasses.dataclass(frozen=True)
class ReportFigure:
    """A figure in the report.

    `name` is the name of its PNG `file` without the suffix; `title` is shown above it, `caption`
    below, and `alt` describes it for people who cannot see it.
    """

    name: str
    file: Path
    title: str
    caption: str
    alt: str

    @property
    def rows_file(self) -> Path:
        """The rows of images alone, which the page shows with their names in its own letters."""
        return self.file.with_name(f"{self.name}{ROWS}.png")


def draw_run_figures(
    run: RunDirectory,
    folder: str | Path,
    model: VAE,
    dataset: Dataset,
    latents: Sequence[Latents],
    history: Sequence[Mapping[str, float]],
    seed: int,
    encoding: Encoding,
) -> list[ReportFigure]:
    """Draws the figures of a run into `folder`, in the order of the report.

    `latents` has one entry per layer, `history` the rows of the run's history (without any, there
    are no learning curves), and `seed` chooses the images shown.
    """
    drawn = [
        *_of_codes(latents, seed, encoding),
        *([_samples(model, dataset, seed)] if model.decodes(dataset.image_shape) else []),
        *([_learning_curves(history, _is_in_nats(model))] if history else []),
        *([_tracked_scores(run)] if is_there(run.tracking / "metrics.csv") else []),
    ]
    saved = _saved(drawn, folder)
    tracked = [
        ReportFigure(name, run.tracking / f"{name}.png", *words) for name, *words in _TRACKED
    ]
    return saved + [figure for figure in tracked if figure.file.is_file()]


def draw_encoder_figures(
    folder: str | Path, latents: Sequence[Latents], seed: int, encoding: Encoding
) -> list[ReportFigure]:
    """Draws the figures of any encoder into `folder`: what it decodes only if it has a decoder."""
    return _saved(_of_codes(latents, seed, encoding), folder)


def _of_codes(latents: Sequence[Latents], seed: int, encoding: Encoding) -> list[_Drawn]:
    """Draws what the codes hold and, if they can be decoded, what they look like."""
    model, dataset = encoding.model, encoding.dataset
    decodes = model.decodes(dataset.image_shape)
    return [
        *([_traversal(model, dataset, latents[0], seed)] if decodes else []),
        *_information(dataset, latents, seed, encoding),
        *([_reconstructions(model, dataset, seed)] if decodes else []),
    ]


def _saved(drawn: Sequence[_Drawn], folder: str | Path) -> list[ReportFigure]:
    return [_save(one, Path(folder) / f"{one.name}.png") for one in drawn]


def _save(drawn: _Drawn, file: Path) -> ReportFigure:
    figures.save(drawn.figure, file)
    saved = ReportFigure(drawn.name, file, drawn.title, drawn.caption, drawn.alt)
    if drawn.images is not None:
        save_rows(drawn.images, saved.rows_file, drawn.rows)
    return saved


def _traversal(model: VAE, dataset: Dataset, latents: Latents, seed: int) -> _Drawn:
    found = traverse(model, dataset, seed=seed, latents=latents)
    reach = "from the 2.5 % to the 97.5 % quantile of its values over the images"
    if model.has_prior:
        reach = "from {:.3g} to {:.3g}".format(*(model.code_range or (-2, 2)))
    caption = (
        f"Each row changes one {latents.noun} of the same image, {reach}, and keeps the others. "
        f"A disentangled {latents.noun} changes one thing only."
    )
    if model.num_categories:
        caption += " The last row steps through the categories."
    rows = list(zip(found.names, found.remarks, strict=True))
    names = [" ".join(" ".join(row).split()) for row in rows]
    alt = f"A row of images for each {latents.noun}, from the top: {listed(names)}."
    shown = _worth_showing(latents, len(rows), bool(model.num_categories))
    if len(shown) < len(rows):
        idle = "inactive latents" if latents.has_posterior else "constant codes"
        caption += f" Rows of {idle}, which change nothing, are left out."
    images, texts = found.images[shown], [rows[place] for place in shown]
    title = f"What each {latents.noun} changes"
    return _Drawn("traversal", found.figure(), title, caption, alt, images, texts)


def _worth_showing(latents: Latents, count: int, has_categories: bool) -> list[int]:
    """Returns the places of the rows of active latents and of the categories, all if none is.

    The active ones come first, and the categories have the last row.
    """
    ends = count - has_categories
    active = min(len(latents.active), ends)
    return [*range(active or ends), *range(ends, count)]


def _reconstructions(model: VAE, dataset: Dataset, seed: int) -> _Drawn:
    found = reconstruct(model, dataset, seed=seed)
    caption = "Images of the data set, and below them their reconstructions."
    if model.num_layers > 1:
        caption = "Images of the data set, and below them their reconstructions from each layer."
    layers = counted(model.num_layers, "row of reconstructions", "rows of reconstructions")
    alt = f"A row of ten images, and below it {layers}, one for each latent layer."
    images = np.stack([to_rgb(found.originals), *map(to_rgb, found.by_layer)])
    names = [f"layer {i}" if model.num_layers > 1 else "reconstructed" for i in found.layers]
    remarks = [f"squared error {error:.1f} per image" for error in found.errors]
    rows = [("original", ""), *zip(names, remarks, strict=True)]
    title = "Reconstructions"
    return _Drawn("reconstructions", found.figure(), title, caption, alt, images, rows)


def _samples(model: VAE, dataset: Dataset, seed: int) -> _Drawn:
    caption = "Images decoded from random codes, drawn from the prior."
    alt = "A square of eight by eight images made by the decoder."
    return _Drawn("samples", sample_figure(model, dataset, seed=seed), "Samples", caption, alt)


def _is_in_nats(model: VAE) -> bool:
    """Returns whether the loss contains a reconstruction term."""
    return "reconstruction_loss" in model.declaration.losses


def _learning_curves(history: Sequence[Mapping[str, float]], in_nats: bool) -> _Drawn:
    first, last = (row.get("loss") for row in (history[0], history[-1]))
    alt = "Curves of the losses over the training steps."
    if first is not None:
        decimals = 1 if in_nats else 4
        alt += f" The loss goes from {first:,.{decimals}f} to {last:,.{decimals}f}."
    caption = (
        f"Losses{' in nats' if in_nats else ''} per image. Each point is the average since the "
        "point before. Settings that change, such as beta, have their value at that step."
    )
    return _Drawn("learning-curves", history_figure(history), "Learning curves", caption, alt)


def _tracked_scores(run: RunDirectory) -> _Drawn:
    caption = (
        "Scores over the training steps, computed with the metrics' fast settings. Dashed lines, "
        "if any, are scores on held-out images."
    )
    alt = "A panel for each score, over the training steps."
    figure = tracked_scores_figure(run)
    return _Drawn("tracked-scores", figure, "Scores while training", caption, alt)


def _information(
    dataset: Dataset, latents: Sequence[Latents], seed: int, encoding: Encoding
) -> list[_Drawn]:
    first = latents[0]
    if not first.factor_names or not len(first.active):
        return []
    drawn = [_information_map(latents)]
    if len(latents) > 1:
        drawn.append(_over_layers(latents))
    pairs = [(d, f) for d in first.active if (f := first.factor_of(d)) is not None]
    if not first.has_posterior:
        # There may be many codes, most of the same factor.
        pairs = [(int(holders[0]), f) for f, holders in first.holders().items() if holders]
    return drawn + ([_scatter(encoding, dataset, pairs[:6], seed, first.noun)] if pairs else [])


def _information_map(latents: Sequence[Latents]) -> _Drawn:
    first, count = latents[0], len(latents[0].active)
    shown = first.active[:SHOWN]
    kind = "active latent dimension" if first.has_posterior else "code"
    which = f"each {kind}"
    if count > SHOWN:
        best = "strongest" if first.has_posterior else "most informative"
        which = f"the {SHOWN} {best} of {count:,} {kind}s"
    of = f" of the {first.measured}" if first.has_posterior else ""
    caption = (
        f"How much information {which} carries about each factor: mutual information{of} beyond "
        "chance, as a share of the factor's entropy, as in the table. In a disentangled model each "
        "factor has one strongly coloured cell, in a row of its own."
    )
    held = [
        f"z{d} carries {percent(first.share_of(d, factor))} of {factor}"
        for d in shown
        if (factor := first.factor_of(d)) is not None
    ]
    where = "In layer 0, " if len(latents) > 1 else ""
    alt = f"A table of shades. {where}{listed(held)}." if held else "A table of pale shades."
    title = f"Which {first.noun} holds which factor"
    return _Drawn("information-map", map_of(latents, shown), title, caption, alt)


def _over_layers(latents: Sequence[Latents]) -> _Drawn:
    first, last = latents[0], latents[-1]
    caption = (
        "How much information the best active latent dimension of each layer carries about each "
        f"factor, measured on the posterior {first.representation}s, as in the table. Layers that "
        "only scale the code, as DeVAE's do, carry the same information wherever the latent is "
        "active. To see how much of it the noise hides, run: keras-devae plot "
        "information-over-layers RUN --representation sample"
    )
    best = (first.best_shares, last.best_shares)
    ends = [
        f"{name} from {percent(start)} to {percent(end)}"
        for name, start, end in zip(first.factor_names, *best, strict=True)
    ]
    alt = f"A line for each factor. Of the best latent, from the first to the last: {listed(ends)}."
    title = "Information over the layers"
    return _Drawn("information-over-layers", over_layers_of(latents), title, caption, alt)


def _scatter(
    encoding: Encoding, dataset: Dataset, pairs: Sequence[tuple[int, str]], seed: int, noun: str
) -> _Drawn:
    rows = draw_sample(len(dataset), min(_POINTS, len(dataset)), seed).plain
    figure = against_factors(
        encoding.codes(rows, 0)[:, [d for d, _ in pairs]],
        dataset,
        rows,
        [f"z{d}" for d, _ in pairs],
        [factor for _, factor in pairs],
    )
    caption = (
        f"The value of a {noun} for many images (blue), and its mean for each value of the factor "
        f"that the {noun} holds (orange)."
    )
    alt = f"One panel each for {listed([f'z{d} against {factor}' for d, factor in pairs])}."
    return _Drawn("factor-scatter", figure, "Codes against factors", caption, alt)
