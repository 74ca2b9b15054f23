"""Describes which model was trained on which data, where and when."""

import datetime
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.reports.formatting import format_duration, format_setting
from keras_devae.runs.config.run_config import RunConfig
from keras_devae.runs.environment import computing_text
from keras_devae.runs.stopping import describe_end

# What the provenance records of factors, described by itself; values of a factor that are shown.
_OF_FACTORS = ("factor_kinds", "factor_classes", "factor_levels", "factor_bins")
_SHOWN = 12
_LONGEST = 400
_SOURCES = {
    "official": "The published file.",
    "rendered": "Drawn by this package, not read from the published file.",
}


def run_details(
    config: RunConfig, record: Mapping[str, Any], description: str
) -> list[tuple[str, str]]:
    """Describes which model was trained on which data, where and when: pairs of heading and text.

    `record` is from `RunDirectory.read_record`; `description` describes the data set in one line.
    """
    entry = MODEL_CATALOGUE[config.model.name]
    environment, backends = record.get("environment", {}), record.get("backends", [])
    return [
        ("Model", f"{config.model.name}: {entry.objective}"),
        ("Paper", entry.paper),
        ("Data", description),
        *factor_facts(record["data"]),
        ("Source of the images", describe_provenance(record["data"])),
        ("Training", _training(config, entry.fitted)),
        *_parts_of_code(entry.parts_of_code(config.model.options, config.model.latent_dim)),
        *_ended(record.get("ended")),
        ("Machine", _machine(environment)),
        ("Versions", _versions(environment)),
        # Recorded only if a run was resumed with another backend.
        *([("Backends", ", then ".join(backends))] if backends else []),
        *_times(record.get("times", {})),
    ]


def factor_facts(provenance: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Says what the values of the factors of a user's images are, as far as it is recorded."""
    kinds = provenance.get("factor_kinds", {})
    texts = [f"{name}: {_values_of(name, kind, provenance)}" for name, kind in kinds.items()]
    return [("Factors", "; ".join(texts))] if texts else []


def _values_of(name: str, kind: str, provenance: Mapping[str, Any]) -> str:
    if kind == "continuous":
        bins = provenance["factor_bins"][name]
        return (
            f"continuous, {bins['min']:.4g} to {bins['max']:.4g}, {bins['count']} bins of equal "
            "width where classes are needed"
        )
    classes = provenance.get("factor_classes", {}).get(name)
    levels = classes or provenance.get("factor_levels", {}).get(name)
    if levels is None:
        return "whole numbers"
    shown = [f"{value:g}" if isinstance(value, float) else str(value) for value in levels[:_SHOWN]]
    more = f" and {len(levels) - _SHOWN:,} more" if len(levels) > _SHOWN else ""
    return f"{', '.join(shown)}{more}"


def describe_provenance(provenance: Mapping[str, Any]) -> str:
    """Describes in one line where images come from: the source, then everything else known."""
    known = {name: value for name, value in provenance.items() if name not in _OF_FACTORS}
    source = known.pop("source", "unknown")
    text = _SOURCES.get(source, f"{source}.")
    matches = known.pop("matches_published", None)
    if matches is not None:
        differs = "Its hash differs from the published one."
        text += f" {'It has the published hash.' if matches else differs}"
    parts = [
        f"{k.replace('_', ' ')} {format_setting(v)}" for k, v in known.items() if v is not None
    ]
    text = f"{text} {'; '.join(parts)}".strip()
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _training(config: RunConfig, is_fitted: bool) -> str:
    model, training = config.model, config.training
    if is_fitted:
        return f"Fitted in one go; {model.latent_dim} components; seed {training.seed}"
    decoder = f", {model.decoder} decoder" if model.decoder else ""
    schedule = training.learning_rate_schedule
    falls = f", {schedule}" if schedule != "constant" else ""
    likelihood = f"{model.likelihood} likelihood" if model.likelihood else "no decoder"
    momentum = training.ema_momentum
    average = f"; moving average of the weights, momentum {momentum:g}" if momentum else ""
    noun = MODEL_CATALOGUE[model.name].batch_of
    return (
        f"{training.steps:,} steps of {training.batch_size} {noun}; learning rate "
        f"{training.learning_rate:g}{falls}{average}; {model.latent_dim} latent dimensions; "
        f"{model.network} networks{decoder}; {likelihood}; seed {training.seed}"
    )


def _parts_of_code(sizes: Mapping[str, int]) -> list[tuple[str, str]]:
    """Says which latent dimensions belong to which part of a code, if it has parts."""
    ends = list(itertools.accumulate(sizes.values()))
    texts = [
        f"{name} z{end - size}" + (f" to z{end - 1}" if size > 1 else "")
        for (name, size), end in zip(sizes.items(), ends, strict=True)
    ]
    return [("Parts of the code", "; ".join(texts))] if texts else []


def _ended(ended: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Says which step's weights the run keeps, if it watched a value."""
    return [] if ended is None else [("Weights", describe_end(ended))]


def _machine(environment: Mapping[str, Any]) -> str:
    backend, device, platform = (
        environment.get(name, "unknown") for name in ("backend", "device", "platform")
    )
    parts = f"backend {backend}", f"device {device}", computing_text(environment), platform
    return "; ".join(part for part in parts if part)


def _versions(environment: Mapping[str, Any]) -> str:
    first = {name: environment.get(name, "unknown") for name in ("keras_devae", "python")}
    versions = {**first, **environment.get("packages", {})}
    return ", ".join(f"{name} {version}" for name, version in versions.items() if version)


def _times(times: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    moments = {what: datetime.datetime.fromisoformat(time) for what, time in times.items()}
    if "begun" in moments:
        yield "Started", f"{moments['begun']:%Y-%m-%d %H:%M} UTC"
    if {"begun", "trained"} <= set(moments):
        seconds = (moments["trained"] - moments["begun"]).total_seconds()
        yield "Training time", f"{format_duration(seconds)}, including interruptions"
