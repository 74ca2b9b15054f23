"""Logs a run while it trains: for TensorBoard, to MLflow, to Weights & Biases.

Both services keep to stores on this machine unless the user's own settings name a server. What is
logged has the name of its column: losses as in `history.csv`, scores as in `tracking/metrics.csv`,
other measurements after the name of their table (`kl/total`), final scores after `final/`.
"""

from __future__ import annotations

import hashlib
import math
import os
import posixpath
import re
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from keras_devae.runs.distribution import is_chief

if TYPE_CHECKING:
    from keras_devae.runs.config.run_config import RunConfig
    from keras_devae.runs.folder import RunDirectory

#: Called with a row of the history, which has its `step`.
Logger = Callable[[Mapping[str, Any]], None]


class Service(Protocol):
    """Where a run is logged besides its folder."""

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Logs the values of a step, which is not before the last one."""

    def close(self, failure: type[BaseException] | None) -> None:
        """Ends the log; `failure` is the type of the error or interruption, if any."""


#: What is open: identifier of the logged run -> its services.
_open: dict[str, list[Service]] = {}


def loggers_of(config: RunConfig, run: RunDirectory) -> list[Logger]:
    """Returns a function that logs a row of the history, for each place that a run logs to."""
    boards = [_board_logger(run)] if config.evaluation.tensorboard else []
    return [*boards, *(_row_logger(service) for service in _services(config, run))]


def _row_logger(service):
    return lambda row: service.log(_values(row), row["step"])


def measurement_loggers(
    config: RunConfig, run: RunDirectory
) -> list[Callable[[str, Mapping[str, Any]], None]]:
    """Returns a function for each service that logs a row of a table of measurements.

    Its arguments are the name of the table and the row. TensorBoard gets these from the callbacks.
    """
    return [_measurement_logger(service) for service in _services(config, run)]


def _measurement_logger(service):
    def log(table, row):
        # Scores have names of their own.
        group = "" if table == "metrics" else f"{table}/"
        service.log(_values(row, group), row["step"])

    return log


def log_scores(config: RunConfig, run: RunDirectory, scores: Mapping[str, Any]) -> None:
    """Logs the final scores of a run, and those on the images held out, if any, after `val_`."""
    values = {}
    for part, mark in ((scores, ""), (scores.get("validation"), "val_")):
        for row in part["layers"] if part else ():
            values.update(_values(row, "final/", mark))
    for service in _services(config, run):
        service.log(values, run.last_step(config))


def close_services(run: RunDirectory, failure: type[BaseException] | None = None) -> None:
    """Ends the logging of a run in this process; `failure` is the type of what ended it early."""
    if _open:
        for service in _open.pop(_identifier(run), ()):
            service.close(failure)


def _services(config, run):
    """Returns the services of a run, opened on first use; there are none in a worker."""
    wanted = config.evaluation
    if not (wanted.mlflow or wanted.wandb) or not is_chief(config):
        return []
    identifier = _identifier(run)
    if identifier not in _open:
        kinds = [MLflow] * wanted.mlflow + [WandB] * wanted.wandb
        _open[identifier] = [kind(config, run, identifier) for kind in kinds]
    return _open[identifier]


def _values(row, group="", mark=""):
    layer = f"layer_{row['layer']}/" if row.get("layer") else ""
    return {
        f"{group}{layer}{mark}{name}": float(value)
        for name, value in row.items()
        if name not in ("step", "layer") and value is not None and math.isfinite(value)
    }


def _board_logger(run):
    from keras_devae.callbacks.measuring import open_board

    board = open_board(str((run.tracking / "tensorboard").resolve()))

    def log(row):
        for name, value in _values(row).items():
            part = "validation" if name.startswith("val_") else "training"
            board.add_scalar(f"{part}/{name.removeprefix('val_')}", value, row["step"])
        board.flush()

    return log


def _settings(config):
    return {name: str(value) for name, value in config.to_dict().items() if value is not None}


def _identifier(run):
    """Returns what names the logged run: the same after a resume, another for a new run."""
    begun = run.read_record().get("times", {}).get("begun", "")
    return hashlib.sha256(f"{run.path.resolve()} {begun}".encode()).hexdigest()[:16]


class MLflow:
    """A run of MLflow, found again by a tag."""

    def __init__(self, config: RunConfig, run: RunDirectory, identifier: str) -> None:
        import mlflow
        from mlflow.tracking import MlflowClient

        is_configured = os.environ.get("MLFLOW_TRACKING_URI") or mlflow.is_tracking_uri_set()
        store = None if is_configured else f"sqlite:///{run.path.resolve().parent / 'mlflow.db'}"
        self._client = client = MlflowClient(tracking_uri=store)
        found = client.get_experiment_by_name("keras-devae")
        experiment = found.experiment_id if found else client.create_experiment("keras-devae")
        tag = "keras_devae.run"
        wanted = f"tags.`{tag}` = '{identifier}'"
        if earlier := client.search_runs([experiment], wanted, max_results=1):
            self._number = earlier[0].info.run_id
            client.update_run(self._number, status="RUNNING")
            return
        made = client.create_run(experiment, run_name=run.name, tags={tag: identifier})
        self._number = made.info.run_id
        for name, value in _settings(config).items():
            client.log_param(self._number, name, value[:500])

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Logs all values at once."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        entries = [Metric(_accepted(name), value, now, step) for name, value in values.items()]
        self._client.log_batch(self._number, entries)

    def close(self, failure: type[BaseException] | None) -> None:
        """Sets the status of the run."""
        status = "FINISHED" if failure is None else "FAILED"
        if failure is not None and issubclass(failure, KeyboardInterrupt):
            status = "KILLED"
        self._client.set_terminated(self._number, status)


def _accepted(name):
    """Returns a name that MLflow accepts; names of factors may contain any character."""
    name = re.sub(r"[^\w\-. :/]", "_", name)
    return name if posixpath.normpath(name) == name else name.replace("/", "_")


class WandB:
    """A run of Weights & Biases, found again by its identifier."""

    def __init__(self, config: RunConfig, run: RunDirectory, identifier: str) -> None:
        import wandb

        mode: Any = os.environ.get("WANDB_MODE")
        if mode is None and not os.environ.get("WANDB_API_KEY"):
            mode = "offline"
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "keras-devae"),
            name=run.name,
            id=identifier,
            dir=os.environ.get("WANDB_DIR") or str(run.path.resolve().parent),
            config=_settings(config),
            # Without a server there is nothing to resume, and W&B would warn of it.
            resume="allow" if mode in (None, "online") else None,
            mode=mode,
            reinit="create_new",
        )

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Adds values to a step."""
        self._run.log(dict(values), step=step)

    def close(self, failure: type[BaseException] | None) -> None:
        """Writes everything, and says whether the run failed."""
        self._run.finish(exit_code=int(failure is not None))
