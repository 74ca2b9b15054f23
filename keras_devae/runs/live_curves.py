"""Logs a run's history while it trains: for TensorBoard, to MLflow, to Weights & Biases.

Both services keep to stores on this machine unless the user's own settings name a server.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras_devae.runs.config.run_config import RunConfig
    from keras_devae.runs.folder import RunDirectory

#: Called with a row of the history, which has its `step`.
Logger = Callable[[Mapping[str, Any]], None]


def loggers_of(
    config: RunConfig, run: RunDirectory, history: Sequence[Mapping[str, Any]]
) -> list[Logger]:
    """Returns a function for each service that a run logs to; `history` is what is logged."""
    wanted = config.evaluation
    made = [_tensorboard(run)] if wanted.tensorboard else []
    made += [_mlflow(config, run)] if wanted.mlflow else []
    made += [_wandb(config, run, bool(history))] if wanted.wandb else []
    return made


def _values(row):
    return {name: float(value) for name, value in row.items() if name != "step" and value == value}


def _tensorboard(run):
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


def _mlflow(config, run):
    import mlflow
    from mlflow.tracking import MlflowClient

    is_configured = os.environ.get("MLFLOW_TRACKING_URI") or mlflow.is_tracking_uri_set()
    store = None if is_configured else f"sqlite:///{run.path.resolve().parent / 'mlflow.db'}"
    client = MlflowClient(tracking_uri=store)
    found = client.get_experiment_by_name("keras-devae")
    experiment = found.experiment_id if found else client.create_experiment("keras-devae")
    tag = "keras_devae.run"
    wanted = f"tags.`{tag}` = '{_identifier(run)}'"
    earlier = client.search_runs([experiment], wanted, max_results=1)
    logged = earlier or [
        client.create_run(experiment, run_name=run.name, tags={tag: _identifier(run)})
    ]
    number = logged[0].info.run_id
    if not earlier:
        for name, value in _settings(config).items():
            client.log_param(number, name, value[:500])

    def log(row):
        for name, value in _values(row).items():
            client.log_metric(number, name, value, step=row["step"])

    return log


def _wandb(config, run, resumes):
    import wandb

    has_account = bool(os.environ.get("WANDB_API_KEY"))
    logged = wandb.init(
        project=os.environ.get("WANDB_PROJECT", "keras-devae"),
        name=run.name,
        id=_identifier(run),
        dir=os.environ.get("WANDB_DIR") or str(run.path.resolve().parent),
        config=_settings(config),
        resume="allow" if resumes and has_account else None,
        mode=os.environ.get("WANDB_MODE") or (None if has_account else "offline"),
        reinit="create_new",
    )
    return lambda row: logged.log(_values(row), step=row["step"])
