"""What was trained on what, where and when."""

import datetime

from keras_devae.models.declarations import MODEL_CATALOGUE
from keras_devae.reports.formatting import duration, setting
from keras_devae.runs.environment import computing_text

_LONGEST = 400
_SOURCES = {
    "official": "The published file.",
    "rendered": "Drawn by this package; the published file was not used.",
}


def run_details(config, record, description):
    """Says what was trained on what, where and when.

    Args:
        config: The `RunConfig` of the run.
        record: What its `config.json` holds, see `RunDirectory.read_record`.
        description: The data set in one line.

    Returns:
        List of pairs of strings, what and its value.
    """
    entry, environment = MODEL_CATALOGUE[config.model.name], record.get("environment", {})
    return [
        ("Model", f"{config.model.name}: {entry.objective}"),
        ("Paper", entry.paper),
        ("Data", description),
        ("Origin of the data", describe_provenance(record["data"])),
        ("Training", _training(config, entry.fitted)),
        ("Machine", _machine(environment)),
        ("Versions", _versions(environment)),
        *_backends(record.get("backends", [])),
        *_times(record.get("times", {})),
    ]


def _backends(names):
    # Only a run that went on with another one has them.
    return [("Backends", ", then ".join(names))] if names else []


def describe_provenance(provenance):
    """Says where images come from.

    Args:
        provenance: That of a data set, see `keras_devae.data.Dataset`.

    Returns:
        One line: the source, then everything else that is known, e.g. the file and its hash.
    """
    known = dict(provenance)
    source = known.pop("source", "unknown")
    text = _SOURCES.get(source, f"{source}.")
    matches = known.pop("matches_published", None)
    if matches is not None:
        text += " Its hash is the published one." if matches else " Its hash is another one."
    parts = [f"{k.replace('_', ' ')} {setting(v)}" for k, v in known.items() if v is not None]
    text = f"{text} {'; '.join(parts)}".strip()
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _training(config, is_fitted):
    model, training = config.model, config.training
    if is_fitted:
        return f"Fitted in one go; {model.latent_dim} components; seed {training.seed}"
    return (
        f"{training.steps:,} steps of {training.batch_size} images; learning rate "
        f"{training.learning_rate:g}; {model.latent_dim} latent dimensions; {model.network} "
        f"networks; {model.likelihood} likelihood; seed {training.seed}"
    )


def _machine(environment):
    backend = environment.get("backend", "unknown")
    device, platform = environment.get("device", "unknown"), environment.get("platform", "unknown")
    parts = f"backend {backend}", f"device {device}", computing_text(environment), platform
    return "; ".join(part for part in parts if part)


def _versions(environment):
    first = {name: environment.get(name, "unknown") for name in ("keras_devae", "python")}
    versions = {**first, **environment.get("packages", {})}
    return ", ".join(f"{name} {version}" for name, version in versions.items() if version)


def _times(times):
    moments = {what: datetime.datetime.fromisoformat(time) for what, time in times.items()}
    if "begun" in moments:
        yield "Begun", f"{moments['begun']:%Y-%m-%d %H:%M} UTC"
    if {"begun", "trained"} <= set(moments):
        seconds = (moments["trained"] - moments["begun"]).total_seconds()
        yield "Trained in", f"{duration(seconds)}, interruptions included"
