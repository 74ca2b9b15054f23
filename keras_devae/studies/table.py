"""The results of a study as one tidy table."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from keras_devae.errors import FailureError, UsageError
from keras_devae.runs.config.run_config import RunConfig
from keras_devae.studies.study import Study
from keras_devae.studies.study_run import StudyRun

#: Columns before and after the settings.
_FIRST = ("run", "key", "state", "reason")
_SCORE = ("layer", "metric", "value")
#: Columns of a table without rows.
COLUMNS = (*_FIRST, *_SCORE)


def result_rows(study: Study) -> list[dict[str, Any]]:
    """Collects the results of a study.

    Args:
        study: The study.

    Returns:
        A row for each run, latent layer and metric, and one without layer and metric for each run
        that is not done or whose files are damaged. All have the same columns: `run`, `key`,
        `state`, `reason` (of a failure, or what is damaged); every setting of the run, options of
        models as `option.NAME`; `layer`, `metric` and `value`; `seconds` of computing;
        `data.source` and `data.provenance`; `device`; and the versions of Python and its packages
        as `version.NAME`. Cells are strings, numbers, truth values, lists or dictionaries, and
        `None` where there is nothing.
    """
    rows = [row for run in study.runs for row in _rows_of(study, run)]
    columns = _columns(rows)
    return [{name: row.get(name) for name in columns} for row in rows]


def _rows_of(study: Study, run: StudyRun) -> list[dict[str, Any]]:
    key, config = study.plan[run.name]
    state = run.state()
    record: Mapping[str, Any] = {}
    scores: Iterable[dict[str, Any]] = [dict.fromkeys(_SCORE)]
    try:
        reason = run.reason(state)
        if run.directory.config_file.is_file():
            record, config = run.directory.read_record(), run.directory.read_config()
        if state == "done":
            scores = list(_scores(run))
    except (FailureError, UsageError) as error:
        reason = str(error)
    facts = dict(zip(_FIRST, (run.name, key, state, reason), strict=True))
    return [{**facts, **_described(run, config, record), **score} for score in scores]


def _described(run: StudyRun, config: RunConfig, record: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the settings and the circumstances of a run."""
    settings = config.to_dict()
    options = {f"option.{name}": v for name, v in sorted(settings.pop("model_options").items())}
    data, environment = record.get("data", {}), record.get("environment", {})
    return {
        **settings,
        **options,
        "seconds": round(float(run.seconds()), 3),
        "data.source": data.get("source"),
        "data.provenance": data or None,
        "device": environment.get("device"),
        **{f"version.{name}": environment.get(name) for name in ("keras_devae", "python")},
        **{f"version.{name}": v for name, v in environment.get("packages", {}).items()},
    }


def _scores(run: StudyRun) -> Iterator[dict[str, Any]]:
    metrics = run.directory.read_metrics()
    for layer in metrics["layers"] if metrics else ():
        for name, value in layer.items():
            if name != "layer" and value is not None:
                yield {"layer": layer["layer"], "metric": name, "value": float(value)}


def _columns(rows: list[dict[str, Any]]) -> list[str]:
    """Returns the names of all columns: settings and options in the middle, versions last."""
    found = dict.fromkeys(name for row in rows for name in row)
    options = sorted(name for name in found if name.startswith("option."))
    versions = [name for name in found if name.startswith("version.")]
    others = [n for n in found if n not in (*_FIRST, *_SCORE, *options, *versions)]
    about = [n for n in others if n in ("seconds", "device") or n.startswith("data.")]
    settings = [name for name in others if name not in about]
    return [*_FIRST, *settings, *options, *_SCORE, *about, *versions]
