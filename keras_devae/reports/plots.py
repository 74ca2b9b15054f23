"""Every figure that `keras-devae plot` draws: of models, of tables, and of scores of runs."""

from __future__ import annotations

import contextlib
import inspect
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_devae import figures
from keras_devae.checks import Array
from keras_devae.comparison.tables import MIG, RECONSTRUCTION
from keras_devae.errors import FailureError, UsageError, unknown_name
from keras_devae.evaluation.array_files import read_information_file
from keras_devae.figures.of_models import MODEL_FIGURES, check_model_figure, traversal_animation
from keras_devae.files import check_writable, is_there, read_table
from keras_devae.metrics import number_of
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.models.declarations import ModelDeclaration
from keras_devae.runs.folder import RunDirectory

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ANIMATION = ".gif"


def learning_curves_figure(run: RunDirectory) -> Figure:
    """Draws the losses of a run by step, see `keras_devae.figures.learning_curves`."""
    return history_figure(run.read_history())


def history_figure(rows: Sequence[Mapping[str, float]]) -> Figure:
    """Draws the losses and settings of a history, see `RunDirectory.read_history`."""
    names = [name for name in (rows[0] if rows else ()) if not _is_score(name)]
    return figures.learning_curves({name: [row[name] for row in rows] for name in names})


def _is_score(name):
    return number_of(name.removeprefix("val_")) is not None


def tracked_scores_figure(run: RunDirectory) -> Figure:
    """Draws the scores by step that a run tracked, dashed on the images held out."""
    file = _tracked_file(run, "metrics", "csv", "NAMES of metrics")
    with _damage_named(file, run):
        rows = [row for row in read_table(file) if not row["layer"]]
        names = [name for name in (rows or [{}])[0] if name != "layer"]
        curves = {name: [row[name] for row in rows] for name in names}
        if len(curves) < 2:
            raise ValueError("it has no scores")
    return figures.learning_curves(curves)


def information_diffusion_figure(run: RunDirectory) -> Figure:
    """Draws the information of each latent about each factor by step (the paper's Figure 4)."""
    return figures.information_diffusion(*read_information(run))


def read_information(run: RunDirectory) -> tuple[Array, Array, Array, Array]:
    """Reads the information that a run tracked, or raises an error that says why it cannot.

    Returns steps `(t,)`, mutual information `(t, d, f)` and entropies `(f,)` in nats, and names of
    the factors.
    """
    file = _tracked_file(run, "information", "npz")
    return read_information_file(file, f"Repair the run with: {run.repair_command()}")


def kl_diffusion_figure(run: RunDirectory) -> Figure:
    """Draws the KL divergence of every latent dimension by step; the run must have tracked `kl`."""
    file = _tracked_file(run, "kl", "csv")
    with _damage_named(file, run):
        rows = read_table(file)
        names = [name for name in (rows or [{}])[0] if re.fullmatch("z[0-9]+", name)]
        values = np.array([[row[name] for name in names] for row in rows])
        if not values.size:
            raise ValueError("it has no KL divergences of latents")
    return figures.kl_per_latent([row["step"] for row in rows], values)


@contextlib.contextmanager
def _damage_named(file: Path, run: RunDirectory) -> Iterator[None]:
    """Turns the error of a table that cannot be read into one that names it."""
    try:
        yield
    except (KeyError, ValueError) as error:
        raise FailureError(
            f"{file} is damaged ({error}). Repair the run with: {run.repair_command()}"
        ) from None


def mig_reconstruction_figure(runs: Sequence[RunDirectory], layer: int = 0) -> Figure:
    """Draws the mutual information gap against the reconstruction error, a colour per model."""
    scores = [_scores_of(run, layer) for run in runs]
    return figures.score_scatter(
        [score[RECONSTRUCTION] for score in scores],
        [score[MIG] for score in scores],
        [run.read_config().model.name for run in runs],
        "reconstruction error in nats",
        "mutual information gap",
    )


#: Name -> function of one run.
TABLES: dict[str, Callable[[RunDirectory], Figure]] = {
    "learning-curves": learning_curves_figure,
    "information-diffusion": information_diffusion_figure,
    "kl-diffusion": kl_diffusion_figure,
    "tracked-scores": tracked_scores_figure,
}
#: Name -> function of several runs.
COMPARISONS: dict[str, Callable[..., Figure]] = {"mig-reconstruction": mig_reconstruction_figure}
#: Name of every figure -> the function that draws it.
KINDS: dict[str, Callable[..., Figure]] = {**MODEL_FIGURES, **TABLES, **COMPARISONS}


def check_plot(
    kind: str, runs: Sequence[RunDirectory], options: Mapping[str, Any], files: Sequence[str | Path]
) -> None:
    """Checks the arguments of `draw_plot` before anything is loaded."""
    if kind not in KINDS:
        raise unknown_name("figure", kind, KINDS)
    if kind not in COMPARISONS and len(runs) > 1:
        raise UsageError(f"The figure {kind!r} is of one run. Received: {len(runs)} runs.")
    _check_options(kind, options)
    if kind not in COMPARISONS:
        _check_is_possible(kind, MODEL_CATALOGUE[runs[0].read_config().model.name])
    if not files:
        runs[0].check_takes_files("Name the file to write with `files`.")
    for file in map(Path, files or [_default_file(kind, runs, options)]):
        if _is_animation(file) and kind != "traversal":
            raise UsageError(
                f"Only a traversal can be animated. Received: {file} for {kind!r}; use .png."
            )
        if not _is_animation(file):
            figures.check_file(file)
        check_writable(file)


def _check_is_possible(kind: str, declaration: ModelDeclaration) -> None:
    """Raises a `UsageError` if a figure needs what the model lacks."""
    if kind in MODEL_FIGURES:
        check_model_figure(kind, declaration=declaration)
    if kind == "kl-diffusion":
        declaration.check_has_posterior(f"The figure {kind!r}")


def draw_plot(
    kind: str,
    runs: Sequence[RunDirectory],
    options: Mapping[str, Any],
    files: Iterable[str | Path] = (),
) -> list[Path]:
    """Draws a figure that `check_plot` has accepted, and writes it to files.

    Their suffixes choose the formats; a traversal is animated in a `.gif`. Default:
    `figures/<kind>.png` in the folder of the first run, with the options in its name; without
    options, this is the figure of the report.
    """
    paths = [Path(file) for file in files] or [_default_file(kind, runs, options)]
    sources = _sources(kind, runs)
    still = [path for path in paths if not _is_animation(path)]
    if still:
        figure = KINDS[kind](*sources, **options)
        for path in still:
            figures.save(figure, path)
    if len(still) < len(paths):
        frames = traversal_animation(*sources, **options)
        for path in set(paths) - set(still):
            figures.save_animation(frames, path)
    return paths


def _default_file(kind: str, runs: Sequence[RunDirectory], options: Mapping[str, Any]) -> Path:
    given = "".join(f"-{name.replace('_', '-')}-{value}" for name, value in options.items())
    return runs[0].figures / f"{kind}{given}.png"


def _sources(kind: str, runs: Sequence[RunDirectory]) -> tuple[Any, ...]:
    """Returns the first arguments of the function of a figure."""
    if kind in COMPARISONS:
        return (runs,)
    (run,) = runs
    if kind in TABLES:
        return (run,)
    dataset = run.load_dataset()
    check_model_figure(kind, dataset)
    # Imported here, because tables are drawn without Keras.
    from keras_devae.runs.trained_model import load_trained

    return load_trained(run), dataset


def _check_options(kind: str, options: Iterable[str]) -> None:
    taken = inspect.signature(KINDS[kind]).parameters
    wrong = [name for name in options if name not in taken]
    if wrong:
        known = [_typed(name) for name in _OPTIONS if name in taken]
        raise UsageError(
            f"{', '.join(map(_typed, wrong))} does not belong to the figure {kind!r}, which takes "
            f"{', '.join(known) if known else 'no options'}."
        )


#: Arguments that are options of the command line.
_OPTIONS = ("layer", "seed", "steps", "index", "span", "active_only", "representation")


def _typed(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _is_animation(file: Path) -> bool:
    return file.suffix.lower() == _ANIMATION


def _tracked_file(run: RunDirectory, what: str, suffix: str, option: str = "") -> Path:
    file = run.tracking / f"{what}.{suffix}"
    if not is_there(file):
        raise UsageError(
            f"The run {run.path} did not track this: it has no {file.name} in {run.tracking}. "
            f"Train with --track {option or what}."
        )
    return file


def _scores_of(run: RunDirectory, layer: int) -> Mapping[str, Any]:
    scores = run.read_metrics()
    if scores is None and not run.is_trained():
        raise UsageError(
            f"The run {run.path} is not finished. Resume it with: {run.resume_command()}"
        )
    rows = {row["layer"]: row for row in scores["layers"]} if scores else {}
    if rows and layer not in rows:
        numbers = ", ".join(map(str, rows))
        raise UsageError(f"{run.metrics_file} has no layer {layer}. Received: layers {numbers}.")
    missing = [name for name in (MIG, RECONSTRUCTION) if name not in rows.get(layer, {})]
    if RECONSTRUCTION in missing:
        MODEL_CATALOGUE[run.read_config().model.name].check_decodes()
    if missing:
        # The command replaces the file, so it must also ask for the scores that the file has.
        metrics = [name.split(".")[0] for name in (*rows.get(layer, {}), *missing)]
        chosen = ",".join(dict.fromkeys(name for name in metrics if name != "layer"))
        raise UsageError(
            f"{run.metrics_file} lacks {' and '.join(missing)} of layer {layer}. Compute them with "
            f"keras-devae evaluate {shlex.quote(str(run.path))} --metrics {chosen} --output "
            f"{shlex.quote(str(run.metrics_file))}"
        )
    return rows[layer]
