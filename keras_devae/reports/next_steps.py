"""What to do next with a run or another encoder, as sentences and commands to type."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from keras_devae.comparison.tables import MIG
from keras_devae.evaluation.findings import own_factors
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.runs.config.run_config import KINDS, RunConfig
from keras_devae.runs.folder import RunDirectory

if TYPE_CHECKING:
    from keras_devae.comparison.comparing import Comparison
    from keras_devae.comparison.groups import ComparedRun
    from keras_devae.evaluation.measured_latents import Latents


#: Fewest runs of a setting whose spread over seeds is worth a comparison.
FEW_SEEDS = 5
#: Most runs that a command names, rather than the folders that they lie in.
_NAMED = 6


@dataclasses.dataclass(frozen=True)
class Step:
    """What to do, in a sentence, and the shell command that does it, `None` where there is none."""

    text: str
    command: str | None = None


def next_steps(
    run: RunDirectory, config: RunConfig, latents: Latents, is_measured: bool
) -> list[Step]:
    """Says what to do next with a run, most useful first.

    Args:
        run: The folder of the run.
        config: Its completed configuration.
        latents: What the latents of layer 0 hold.
        is_measured: Whether the page has scores.

    Returns:
        The steps, one at least.
    """
    if not run.is_trained():
        if run.is_claimed():
            return [Step("Wait: training is in progress, and writes this page again at its end.")]
        return [Step("Finish the training.", run.resume_command())]
    return [
        *([] if is_measured else [Step("Measure the model.", measuring_command(run, config))]),
        *_of_trained(run, config, latents),
    ]


def next_steps_of_encoder(folder: Path) -> list[Step]:
    """Says what to do next with an encoder that belongs to no run."""
    command = f"keras-devae compare {shlex.quote(str(folder))} RUN"
    return [
        Step("Compare it with a run on the same images: its folder goes in place of RUN.", command)
    ]


def next_steps_of_comparison(comparison: Comparison) -> Iterator[Step]:
    """Says what to do next after a comparison of runs."""
    best = _best_run(comparison)
    if best is not None:
        text = f"Look at the latents of {best.name}, the run with the highest MIG."
        yield Step(text, f"keras-devae explore {shlex.quote(str(best.directory.path))}")
    if min(len(group.runs) for group in comparison.groups) < FEW_SEEDS:
        yield Step(
            f"Train at least {FEW_SEEDS} seeds of each setting before you rely on a difference, "
            "for example with keras-devae study run."
        )
    paths = [run.directory.path for run in comparison.runs]
    if len(paths) > _NAMED:
        paths = list(dict.fromkeys(path.parent for path in paths))
    named = shlex.join(map(str, paths))
    yield Step("Compare every score.", f"keras-devae compare {named} --metrics all")


def _best_run(comparison: Comparison) -> ComparedRun | None:
    """Returns the run with the highest MIG among those that `explore` can show."""
    runs = [
        run
        for run in comparison.runs
        if MIG in run.scores
        and isinstance(run.directory, RunDirectory)
        and MODEL_CATALOGUE[run.settings["model"]].decodes
    ]
    return max(runs, key=lambda run: run.scores[MIG], default=None)


def measuring_command(run: RunDirectory, config: RunConfig) -> str:
    """Returns the command that measures a run without scores."""
    if run.is_trained() and not config.evaluation.metrics:
        return f"{evaluate_command(run)} --metrics mig,kl,reconstruction_error"
    return run.resume_command()


def evaluate_command(run: RunDirectory) -> str:
    """Returns the command that measures a run anew."""
    path, file = shlex.quote(str(run.path)), shlex.quote(str(run.metrics_file))
    return f"keras-devae evaluate {path} --output {file}"


def _of_trained(run: RunDirectory, config: RunConfig, latents: Latents) -> Iterator[Step]:
    declaration, path = MODEL_CATALOGUE[config.model.name], shlex.quote(str(run.path))
    if declaration.decodes:
        yield Step("Move the latents and watch the image change.", f"keras-devae explore {path}")
    is_done = len(own_factors(latents)) == len(latents.factor_names)
    if not (is_done or declaration.fitted) and config.kind == KINDS[0]:
        epochs = config.training.epochs
        longer = f"--epochs {2 * epochs}" if epochs else f"--steps {2 * config.training.steps}"
        text = "Train for twice as long: more factors may separate."
        yield Step(text, f"{run.resume_command()} {longer}")
    yield Step("Export the encoder for use elsewhere.", f"keras-devae export {path} encoder")
