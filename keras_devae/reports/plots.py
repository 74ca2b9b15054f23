"""Every figure that can be drawn of runs: of their models, their tables and their scores."""

import inspect
import re
import shlex
from pathlib import Path

import numpy as np

from keras_devae import figures
from keras_devae.errors import FailureError, UsageError, unknown_name
from keras_devae.evaluation.information_file import read_information_file
from keras_devae.figures.of_models import MODEL_FIGURES, check_model_figure, traversal_animation
from keras_devae.files import check_writable, is_there, read_table
from keras_devae.metrics import METRICS
from keras_devae.runs.folder import repair_command, resume_command

_ANIMATION = ".gif"
_RECONSTRUCTION = METRICS["reconstruction_error"].key()
_GAP = METRICS["mig"].key()


def learning_curves_figure(run):
    """Draws the losses of a run by step, see `keras_devae.figures.learning_curves`.

    Args:
        run: The `RunDirectory`.

    Returns:
        A `matplotlib.figure.Figure`.

    Raises:
        UsageError: If the run has no history yet.
        FailureError: If it is damaged.
    """
    return history_figure(run.read_history())


def history_figure(rows):
    """Draws the rows of a history, see `learning_curves_figure` and `RunDirectory.read_history`."""
    names = rows[0] if rows else ()
    return figures.learning_curves({name: [row[name] for row in rows] for name in names})


def information_diffusion_figure(run):
    """Draws which latent tells how much of each factor by step (Figure 4 of the DeVAE paper).

    Args:
        run: The `RunDirectory` of a run that tracked `information`.

    Returns:
        A `matplotlib.figure.Figure`.

    Raises:
        UsageError: If the run did not track it.
        FailureError: If its file is damaged.
    """
    return figures.information_diffusion(*read_information(run))


def read_information(run):
    """Reads what a run tracked of information.

    Args:
        run: The `RunDirectory`.

    Returns:
        Tuple of steps `(t,)`, mutual information `(t, d, f)` and entropies `(f,)` in nats, and
        names of the factors `(f,)`.

    Raises:
        UsageError: If the run did not track it.
        FailureError: If its file is damaged.
    """
    file = _tracked_file(run, "information", "npz")
    return read_information_file(file, f"Mend the run with: {repair_command(run.path)}")


def kl_diffusion_figure(run):
    """Draws the KL divergence of every latent dimension by step.

    Args:
        run: The `RunDirectory` of a run that tracked `kl`.

    Returns:
        A `matplotlib.figure.Figure`.

    Raises:
        UsageError: If the run did not track it.
        FailureError: If its file is damaged.
    """
    file = _tracked_file(run, "kl", "csv")
    try:
        rows = read_table(file)
        names = [name for name in (rows or [{}])[0] if re.fullmatch("z[0-9]+", name)]
        values = np.array([[row[name] for name in names] for row in rows])
        if not values.size:
            raise ValueError("it has no KL divergences of latents")
    except ValueError as error:
        raise _damaged(run, file, error) from None
    return figures.kl_per_latent([row["step"] for row in rows], values)


def mig_reconstruction_figure(runs, layer=0):
    """Draws the mutual information gap of runs against their reconstruction error.

    Args:
        runs: List of `RunDirectory`; those of one model have one colour.
        layer: Number of the latent layer that both are of; default 0.

    Returns:
        A `matplotlib.figure.Figure`.

    Raises:
        UsageError: If a run lacks one of the scores, or the layer.
        FailureError: If the scores are damaged.
    """
    scores = [_scores_of(run, layer) for run in runs]
    return figures.score_scatter(
        [score[_RECONSTRUCTION] for score in scores],
        [score[_GAP] for score in scores],
        [run.read_config().model.name for run in runs],
        "reconstruction error in nats",
        "mutual information gap",
    )


#: Name -> function of one run.
TABLES = {
    "learning-curves": learning_curves_figure,
    "information-diffusion": information_diffusion_figure,
    "kl-diffusion": kl_diffusion_figure,
}
#: Name -> function of several runs.
COMPARISONS = {"mig-reconstruction": mig_reconstruction_figure}
#: Name of every figure -> the function that draws it.
KINDS = {**MODEL_FIGURES, **TABLES, **COMPARISONS}


def check_request(kind, runs, options, files):
    """Checks what is to be drawn, before anything is loaded.

    Args:
        kind: Name of the figure.
        runs: List of `RunDirectory`.
        options: Arguments of the figure, a dictionary.
        files: Paths to write it to; their suffixes choose the formats.

    Raises:
        UsageError: If the name is unknown, an option does not belong to the figure, there are too
            many runs for it, or a file cannot be written.
    """
    if kind not in KINDS:
        raise unknown_name("figure", kind, KINDS)
    if kind not in COMPARISONS and len(runs) > 1:
        raise UsageError(f"The figure {kind!r} is of one run. Received: {len(runs)} runs.")
    _check_options(kind, options)
    for file in map(Path, files or [_default_file(kind, runs, options)]):
        if _is_animation(file) and kind != "traversal":
            raise UsageError(f"Only a traversal moves. Received: {file} for {kind!r}; use .png.")
        if not _is_animation(file):
            figures.check_file(file)
        check_writable(file)


def draw(kind, runs, options, files=()):
    """Draws a figure and writes it; see `check_request`, which comes first.

    Args:
        kind: Name of the figure.
        runs: List of `RunDirectory`.
        options: Arguments of the figure, a dictionary.
        files: Paths to write it to; default `figures/<kind>.png` in the folder of the first run,
            with the options in its name: without any it is the report's own. A traversal is an
            animation in a `.gif`.

    Returns:
        List of the paths.

    Raises:
        UsageError: If the runs lack what the figure is made of.
        FailureError: If a file of theirs is damaged.
    """
    files = [Path(file) for file in files] or [_default_file(kind, runs, options)]
    sources = _sources(kind, runs)
    still = [file for file in files if not _is_animation(file)]
    if still:
        figure = KINDS[kind](*sources, **options)
        for file in still:
            figures.save(figure, file)
    if len(still) < len(files):
        frames = traversal_animation(*sources, **options)
        for file in set(files) - set(still):
            figures.save_animation(frames, file)
    return files


def _default_file(kind, runs, options):
    given = "".join(f"-{name.replace('_', '-')}-{value}" for name, value in options.items())
    return runs[0].figures / f"{kind}{given}.png"


def _sources(kind, runs):
    """Returns what the function of a figure takes first."""
    if kind in COMPARISONS:
        return (runs,)
    (run,) = runs
    if kind in TABLES:
        return (run,)
    dataset = run.load_dataset()
    check_model_figure(kind, dataset)
    # Imported only now: tables are drawn without Keras.
    from keras_devae.runs.trained_model import load_trained

    return load_trained(run), dataset


def _check_options(kind, options):
    taken = inspect.signature(KINDS[kind]).parameters
    wrong = [name for name in options if name not in taken]
    if wrong:
        known = [_typed(name) for name in _OPTIONS if name in taken]
        raise UsageError(
            f"{', '.join(map(_typed, wrong))} does not belong to the figure {kind!r}, which takes "
            f"{', '.join(known) if known else 'no options'}."
        )


#: Arguments that can be typed.
_OPTIONS = ("layer", "seed", "steps", "index", "span", "active_only", "representation")


def _typed(name):
    return f"--{name.replace('_', '-')}"


def _is_animation(file):
    return file.suffix.lower() == _ANIMATION


def _tracked_file(run, what, suffix):
    file = run.tracking / f"{what}.{suffix}"
    if not is_there(file):
        raise UsageError(
            f"The run {run.path} did not track this: it has no {file.name} in {run.tracking}. "
            f"Train with --track {what}."
        )
    return file


def _damaged(run, file, error):
    return FailureError(
        f"{file} is damaged ({error}). Mend the run with: {repair_command(run.path)}"
    )


def _scores_of(run, layer):
    scores = run.read_metrics()
    if scores is None and not run.is_trained():
        raise UsageError(
            f"The run {run.path} is not finished. Go on with: {resume_command(run.path)}"
        )
    rows = {row["layer"]: row for row in scores["layers"]} if scores else {}
    if rows and layer not in rows:
        numbers = ", ".join(map(str, rows))
        raise UsageError(f"{run.metrics_file} has no layer {layer}. Received: layers {numbers}.")
    missing = [name for name in (_GAP, _RECONSTRUCTION) if name not in rows.get(layer, {})]
    if missing:
        # The file is replaced: what it holds is asked for again.
        metrics = [name.split(".")[0] for name in (*rows.get(layer, {}), *missing)]
        chosen = ",".join(dict.fromkeys(name for name in metrics if name != "layer"))
        raise UsageError(
            f"{run.metrics_file} lacks {' and '.join(missing)} of layer {layer}. Compute them with "
            f"keras-devae evaluate {shlex.quote(str(run.path))} --metrics {chosen} --output "
            f"{shlex.quote(str(run.metrics_file))}"
        )
    return rows[layer]
