"""What pages about runs and about other encoders show alike: summary, latents and scores."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from keras_devae.comparison.tables import RECONSTRUCTION
from keras_devae.evaluation.measured_latents import CATEGORY, HELD_SHARE, Latents
from keras_devae.metrics import METRICS, meaning_of
from keras_devae.metrics.score_table import score_rows
from keras_devae.reports.formatting import percent
from keras_devae.reports.summary import Holder, constant_factors, summarize, verdict

#: Most latent dimensions in a table.
ROWS = 50


def common_values(
    latents: Sequence[Latents],
    scores: Mapping[str, Any] | None,
    image_shape: Sequence[int],
    factor_names: Iterable[str] | None,
) -> dict[str, Any]:
    """Returns the values that the templates of both pages share.

    `latents` has an entry for each layer, and `scores` is what `evaluate` returned, or `None`.
    """
    scored = scores["layers"] if scores else []
    first = latents[0]
    # The page begins with layer 0, and the scores may be of another layer only.
    headline = scored if scored and scored[0]["layer"] == 0 else []
    return {
        "verdict": verdict(first),
        "tiles": _tiles(first, headline),
        "summary": [
            *summarize(latents, headline, image_shape),
            *constant_factors(first, factor_names),
        ],
        "layers": range(len(latents)),
        "latents": _latent_rows(latents),
        "left_out": max(0, len(first.kl) - ROWS),
        "has_factors": bool(first.factor_names),
        "has_category": first.category_shares is not None,
        "has_posterior": first.has_posterior,
        "noun": first.noun,
        "measured": first.measured,
        "by_layer": len(latents) > 1 or any(layer["layer"] for layer in scored),
        "scores": scored,
        "score_rows": table_rows(scores),
    }


def _tiles(latents: Latents, layers: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Returns the few numbers at the top of the page."""
    first = layers[0] if layers else {}
    title = "Active latents" if latents.has_posterior else "Codes that vary"
    tiles = [(title, f"{len(latents.active)} of {len(latents.kl)}")]
    if latents.factor_names:
        held = sum(bool(holders) for holders in latents.holders(with_category=True).values())
        tiles.append(("Factors held", f"{held} of {len(latents.factor_names)}"))
    for metric in (METRICS["mig"], METRICS["dci"]):
        if metric.key() in first:
            (number, *_) = metric.numbers.values()
            tiles.append((number.title, f"{first[metric.key()]:.2f}"))
    error = first.get(RECONSTRUCTION)
    if error is not None:
        tiles.append(("Reconstruction, nats", f"{error:,.1f}"))
    if latents.has_posterior:
        tiles.append(("KL, nats", f"{latents.total_kl:.1f}"))
    return tiles


def _latent_rows(latents: Sequence[Latents]) -> list[dict[str, Any]]:
    """Returns a row per latent dimension of layer 0 for a table, `ROWS` at most."""
    first = latents[0]
    rows = [
        _latent_row(first, f"z{d}", d, first.factor_of(d), [layer.kl[d] for layer in latents])
        for d in first.order[:ROWS]
    ]
    if first.category_shares is None:
        return rows
    best = max(first.factor_names, key=lambda name: first.share_of(CATEGORY, name))
    held = best if first.share_of(CATEGORY, best) >= HELD_SHARE else None
    return [*rows, _latent_row(first, CATEGORY, CATEGORY, held, [None] * len(latents))]


def _latent_row(
    latents: Latents, name: str, holder: Holder, factor: str | None, kl: Sequence[float | None]
) -> dict[str, Any]:
    active = "" if holder == CATEGORY else "yes" if latents.is_active[holder] else "no"
    row = {"name": name, "active": active, "kl": kl, "factor": "", "share": "", "besides": ""}
    if factor is None:
        return row
    shares = {name: latents.share_of(holder, name) for name in latents.factor_names}
    row.update(factor=factor, share=percent(shares.pop(factor)))
    if shares:
        second = max(shares, key=shares.__getitem__)
        row["besides"] = f"{second} ({percent(shares[second])})"
    return row


def table_rows(scores: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Returns a row per score and factor for a table, from what `evaluate` returned.

    A row has `key`, `factor` or `None`, `cells` (one per layer) and `meaning`.
    """
    if not scores:
        return []
    rows = score_rows(scores["layers"], scores.get("details", ()))
    return [
        {**row._asdict(), "meaning": meaning_of(row.key) if row.factor is None else ""}
        for row in rows
    ]
