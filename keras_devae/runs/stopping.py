"""Watching a loss or a score while a run trains: its best checkpoint, and when to stop early."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from keras_devae.checks import one_of
from keras_devae.errors import UsageError
from keras_devae.files import is_there, read_table
from keras_devae.metrics import METRICS, number_of, possible_metrics
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.models.stationarity import stationary_from

if TYPE_CHECKING:
    from keras_devae.runs.config.run_config import RunConfig
    from keras_devae.runs.folder import RunDirectory


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What has been seen: the best step and its value, and the measurements since then."""

    best_step: int | None = None
    best_value: float | None = None
    since: int = 0


@dataclasses.dataclass(frozen=True)
class Watch:
    """A value that a run watches, see `watch_of`.

    Everything follows from the tables in the run's folder, which are on disk before a checkpoint
    is: a run that resumes sees what an uninterrupted one sees.
    """

    name: str
    rises: bool
    starts: int
    patience: int | None
    keeps_best: bool
    plateau_factor: float = 1.0
    plateau_patience: int | None = None
    continued_from: int = 0

    def outcome(self, points: Iterable[tuple[int, float]]) -> Outcome:
        """Returns what follows from steps and values in order; values that are NaN count as bad."""
        return [Outcome(), *(seen for _, seen in self._outcomes(points))][-1]

    def reductions(self, points: Iterable[tuple[int, float]]) -> list[int]:
        """Returns the steps after which the learning rate has been lowered.

        The rule follows Keras's `ReduceLROnPlateau`, with `min_delta` and `cooldown` 0.
        """
        patience = self.plateau_patience
        if patience is None:
            return []
        outcomes = self._outcomes(points)
        return [step for step, seen in outcomes if seen.since and seen.since % patience == 0]

    def _outcomes(self, points: Iterable[tuple[int, float]]) -> Iterator[tuple[int, Outcome]]:
        """Yields each step that can be compared, and what has been seen by then."""
        seen = Outcome()
        for step, value in points:
            if step < self.starts:
                continue
            score = value if self.rises else -value
            best = None if seen.best_value is None else seen.best_value * (1 if self.rises else -1)
            if not math.isnan(value) and (best is None or score > best):
                seen = Outcome(step, value)
            else:
                seen = dataclasses.replace(seen, since=seen.since + 1)
            yield step, seen
            if step == self.continued_from:
                # Training had stopped here, and was then asked to continue: the wait begins anew.
                seen = dataclasses.replace(seen, since=0)
                yield step, seen

    def seen(self, run: RunDirectory, history: Sequence[dict[str, Any]], step: int) -> Outcome:
        """Returns the outcome up to a step, from the history or the run's tracked scores."""
        return self.outcome(self.points(run, history, step))

    def points(
        self, run: RunDirectory, history: Sequence[dict[str, Any]], step: int
    ) -> list[tuple[int, float]]:
        """Returns steps and values up to a step."""
        if self.is_tracked:
            file = run.tracking / "metrics.csv"
            rows = read_table(file) if is_there(file) else []
            rows = [row for row in rows if not row.get("layer")]
        else:
            rows = list(history)
        points = [(int(r["step"]), r[self.name]) for r in rows if self.name in r]
        return [point for point in points if point[0] <= step]

    @property
    def is_tracked(self) -> bool:
        """Whether the value is a score that is tracked, and not a loss."""
        return number_of(self.name.removeprefix("val_")) is not None

    def stops(self, seen: Outcome) -> bool:
        """Tells whether training stops after what has been seen."""
        return self.patience is not None and seen.since >= self.patience

    def describe(self) -> str:
        """Says in one line what is watched, from when on, and what follows."""
        what = f"{self.name}, {'highest' if self.rises else 'lowest'} best, from step {self.starts}"
        ends = ["the best checkpoint is kept"] if self.keeps_best else []
        if self.patience is not None:
            ends.append(f"training stops after {self.patience} measurements without improvement")
        if self.plateau_patience is not None:
            ends.append(
                f"the learning rate is multiplied by {self.plateau_factor:g} after every "
                f"{self.plateau_patience} without improvement"
            )
        *first, last = ends
        return f"{what} on; {', '.join(first)}{' and ' if first else ''}{last}"


def describe_end(ended: Mapping[str, Any]) -> str:
    """Says which step's weights a run keeps that watched a value, from its record."""
    text = f"of step {ended['model_step']:,}"
    if ended["best_step"] is not None:
        text += f"; {ended['watched']} was best at step {ended['best_step']:,}"
        text += f", {ended['best_value']:,.4g}"
    early = "early " if ended["stopped_early"] else ""
    return f"{text}; training ended {early}at step {ended['step']:,}"


def describe_reductions(folder: RunDirectory, config: RunConfig) -> str | None:
    """Says when the schedule plateau has lowered a run's learning rate, or `None` if it has not."""
    watch = watch_of(config, folder.read_record().get("continued_from", 0))
    if watch is None:
        return None
    last = folder.last_step(config)
    # A fall after the last step moves nothing.
    steps = watch.reductions(watch.points(folder, folder.read_history(), last - 1))
    if not steps:
        return None
    rate = config.training.learning_rate * watch.plateau_factor ** len(steps)
    plural = "s" if len(steps) > 1 else ""
    return f"lowered to {rate:.3g} after step{plural} {', '.join(map(str, steps))}"


def check_watching(config: RunConfig) -> None:
    """Checks the settings of validation, and the name of the value to watch.

    Raises:
        UsageError: If they contradict each other, or the value is unknown or not measured.
    """
    chosen = config.validation
    if chosen.split is not None and chosen.dataset is not None:
        raise UsageError("Give either `validation_split` or `validation_dataset`, not both.")
    if chosen.factors_file is not None and chosen.dataset is None:
        raise UsageError("`validation_factors_file` goes with `validation_dataset`.")
    lowers = config.training.learning_rate_schedule == "plateau"
    _check_plateau(config, lowers)
    asked = chosen.save_best or chosen.early_stopping is not None
    if asked and MODEL_CATALOGUE[config.model.name].fitted:
        raise UsageError(
            f"{config.model.name} is fitted in one go: leave out `save_best` and `early_stopping`."
        )
    if chosen.monitor is None:
        return
    if not (asked or lowers):
        raise UsageError(
            "`monitor` needs `save_best`, `early_stopping`, or `learning_rate_schedule` set to "
            "plateau."
        )
    _checked_name(config)


def _check_plateau(config, lowers):
    training, stops_after = config.training, config.validation.early_stopping
    defaults = type(training)()
    for name in ("plateau_factor", "plateau_patience"):
        if not lowers and getattr(training, name) != getattr(defaults, name):
            raise UsageError(f"`{name}` needs `learning_rate_schedule` set to plateau.")
    if lowers and stops_after is not None and stops_after <= training.plateau_patience:
        raise UsageError(
            "`early_stopping` must be above `plateau_patience`, which is "
            f"{training.plateau_patience}: otherwise training stops before the learning rate "
            f"falls. Received: {stops_after}."
        )


def _checked_name(config):
    """Returns the name of the column that is watched."""
    chosen, evaluation = config.validation, config.evaluation
    held_out = chosen.split is not None or chosen.dataset is not None
    name = chosen.monitor or ("val_loss" if held_out else "loss")
    scores = {
        key: metric
        for metric in evaluation.track
        if metric in METRICS
        for key in (metric, *(f"{metric}.{number}" for number in METRICS[metric].numbers))
    }
    measured = name.removeprefix("val_")
    declaration = MODEL_CATALOGUE[config.model.name]
    losses, possible = declaration.losses, possible_metrics(True, **declaration.metric_inputs)
    known = [*losses, *(f"val_{loss}" for loss in losses)]
    validated = [f"val_{key}" for key in (*scores, *possible)] if name != measured else []
    one_of("value to watch", name, [*known, *scores, *possible, *validated])
    if name.startswith("val_") and not held_out:
        raise UsageError(
            f"`monitor` {name} needs images that are held out: give `validation_split` or "
            "`validation_dataset`."
        )
    if name not in known and measured not in scores:
        raise UsageError(f"`monitor` {name} needs the metric among those that `track` names.")
    if name not in known and chosen.save_best:
        _check_intervals(config, name)
    if measured in METRICS:
        name = name.removesuffix(measured) + METRICS[measured].key()
    return name


def _check_intervals(config, name):
    every = config.training.checkpoint_every
    if config.evaluation.track_every % every:
        raise UsageError(
            f"`save_best` by {name} needs a checkpoint wherever it is measured: `track_every` must "
            f"be a multiple of `checkpoint_every`. Received: {config.evaluation.track_every} and "
            f"{every}."
        )


def watch_of(config: RunConfig, continued_from: int = 0) -> Watch | None:
    """Returns what a run with a complete configuration watches, or `None`.

    `continued_from` is the step at which it last stopped and was then trained further, default 0.

    Raises:
        UsageError: If the schedules of the model end too late for anything to be compared.
    """
    chosen, training = config.validation, config.training
    lowers = training.learning_rate_schedule == "plateau"
    if not (chosen.save_best or lowers) and chosen.early_stopping is None:
        return None
    name = _checked_name(config)
    model = config.model
    starts = stationary_from(model.options, model.latent_dim)
    starts = max(starts, training.warmup_steps)
    if name in MODEL_CATALOGUE[model.name].losses and starts:
        # Each row has the means of all steps since the row before.
        starts += training.checkpoint_every
    if starts >= training.steps:
        raise UsageError(
            f"{name} can be compared from step {starts} on, when schedules and warm-up have "
            f"ended, and training ends at step {training.steps}: train for longer, shorten "
            "the schedules, or leave out `save_best`, `early_stopping` and the schedule plateau."
        )
    number = number_of(name.removeprefix("val_"))
    rises = number is not None and not number.lower_is_better
    # Before the first step there is nothing to keep.
    starts = max(starts, 1)
    watch = Watch(name, rises, starts, chosen.early_stopping, chosen.save_best)
    if lowers:
        factor, patience = training.plateau_factor, training.plateau_patience
        watch = dataclasses.replace(watch, plateau_factor=factor, plateau_patience=patience)
    return dataclasses.replace(watch, continued_from=continued_from)
