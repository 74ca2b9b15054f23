"""The results of a study as one tidy table."""

from keras_devae.errors import FailureError, UsageError

#: Columns before and after those of the settings.
_FIRST = ("run", "key", "state", "reason")
_SCORE = ("layer", "metric", "value")
#: Columns of a table without rows.
COLUMNS = (*_FIRST, *_SCORE)


def result_rows(study):
    """Collects the results of a study.

    Args:
        study: The `Study`.

    Returns:
        List of dictionaries with the same keys: one for each run, latent layer and metric; and one,
        without these three, for a run that is not done or whose files are damaged. Besides `run`,
        `key`, `state`, `reason` (of a failure, or what is damaged), `layer`, `metric` and `value`
        they have every setting of the run, options of models as `option.NAME`; `seconds`, how long
        it was worked on; `data.source` and
        `data.provenance`; `device`, and the versions of what it ran with as `version.NAME`.
        A column holds texts, numbers, truth values or lists, and `None` where there is nothing.
    """
    rows = [row for run in study.runs for row in _rows_of(study, run)]
    columns = _columns(rows)
    return [{name: row.get(name) for name in columns} for row in rows]


def _rows_of(study, run):
    key, config = study.plan[run.name]
    state = run.state()
    record, scores = {}, [dict.fromkeys(_SCORE)]
    try:
        reason = run.reason(state)
        if run.directory.config_file.is_file():
            record, config = run.directory.read_record(), run.directory.read_config()
        if state == "done":
            scores = _scores(run)
    except (FailureError, UsageError) as error:
        reason = str(error)
    facts = dict(zip(_FIRST, (run.name, key, state, reason), strict=True))
    return [{**facts, **_described(run, config, record), **score} for score in scores]


def _described(run, config, record):
    """Returns all about a run but how it ended and its scores."""
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
        **_versions(environment),
    }


def _versions(environment):
    own = {name: environment.get(name) for name in ("keras_devae", "python")}
    return {f"version.{n}": v for n, v in {**own, **environment.get("packages", {})}.items()}


def _scores(run):
    return [
        dict(zip(_SCORE, (layer["layer"], name, float(value)), strict=True))
        for layer in run.directory.read_metrics()["layers"]
        for name, value in layer.items()
        if name != "layer" and value is not None
    ]


def _columns(rows):
    """Returns the names of all columns: settings and options in the middle, versions last."""
    found = dict.fromkeys(name for row in rows for name in row)
    options = sorted(name for name in found if name.startswith("option."))
    versions = [name for name in found if name.startswith("version.")]
    others = [n for n in found if n not in (*_FIRST, *_SCORE, *options, *versions)]
    about = [n for n in others if n in ("seconds", "device") or n.startswith("data.")]
    settings = [name for name in others if name not in about]
    return [*_FIRST, *settings, *options, *_SCORE, *about, *versions]
