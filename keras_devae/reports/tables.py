"""What pages about runs and about other encoders show alike: summary, latents and scores."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from keras_devae.checks import counted
from keras_devae.comparison.tables import RECONSTRUCTION
from keras_devae.evaluation.findings import Holder, verdict
from keras_devae.evaluation.measured_latents import CATEGORY, HELD_SHARE, Latents
from keras_devae.evaluation.wording import percent
from keras_devae.metrics import METRICS, meaning_of
from keras_devae.metrics.score_table import ScoreRow, score_rows
from keras_devae.reports.formatting import format_number
from keras_devae.reports.summary import constant_factors, summarize

#: Most latent dimensions in a table, and in the list at the top of a page.
ROWS = 50
_LISTED = 8


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
    left = len(first.kl) - ROWS
    return {
        "verdict": verdict(first),
        "holdings": _holdings(first),
        "note": _note(first),
        "tiles": _tiles(first, headline),
        "summary": [
            *summarize(latents, headline, image_shape),
            *constant_factors(first, factor_names),
        ],
        "layers": range(len(latents)),
        "latents": _latent_rows(latents),
        "left_out": counted(left, f"weaker {first.noun}") if left > 0 else "",
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


def _holdings(latents: Latents) -> list[dict[str, Any]]:
    """Says in a few words what each active latent holds, `_LISTED` at most."""
    holders: dict[Holder, str] = {int(d): f"z{d}" for d in latents.active[:_LISTED]}
    if latents.category_shares is not None:
        holders[CATEGORY] = CATEGORY
    return [_holding(latents, holder, name) for holder, name in holders.items()]


def _holding(latents: Latents, holder: Holder, name: str) -> dict[str, Any]:
    """Returns `name`, the `factor` held or `None`, its `share` in percent, and a `remark`."""
    shares = {f: latents.share_of(holder, f) for f in latents.factor_names}
    if not shares:
        is_kl = latents.has_posterior and holder != CATEGORY
        remark = f"KL {latents.kl[holder]:.1f} nats" if is_kl else ""
        return {"name": name, "factor": None, "share": 0, "remark": remark}
    first, *others = sorted(shares, key=lambda f: -shares[f])
    if shares[first] < HELD_SHARE:
        remark = f"no factor (less than {percent(HELD_SHARE)} of each)"
        return {"name": name, "factor": None, "share": 0, "remark": remark}
    second = others[0] if others and shares[others[0]] >= HELD_SHARE else None
    remark = f"and {percent(shares[second])} of {second}" if second else ""
    share = round(100 * shares[first])
    return {"name": name, "factor": first, "share": share, "remark": remark}


def _note(latents: Latents) -> str:
    """Explains the list of `_holdings`, and says what it leaves out; empty if there is nothing."""
    count, active = len(latents.kl), len(latents.active)
    parts = []
    if any(latents.holders(with_category=True).values()):
        parts.append(f"A percentage is the share of the factor that the {latents.noun} carries.")
    if active > _LISTED:
        parts.append(f"{active - _LISTED:,} more {latents.noun}s are in the table below.")
    if active < count:
        idle = "inactive" if latents.has_posterior else "constant"
        verb, they = ("is", "it holds") if count - active == 1 else ("are", "they hold")
        parts.append(
            f"{count - active:,} of {count:,} {latents.noun}s {verb} {idle}: {they} nothing."
        )
    return " ".join(parts)


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

    A row has `keys`, `factor` or `None`, `cells` (one per layer) and `meaning`. Numbers of a metric
    that look the same in all layers share a row, and the only factor has none of its own.
    """
    if not scores:
        return []
    found = list(score_rows(scores["layers"], scores.get("details", ())))
    is_only = len({row.factor for row in found} - {None}) == 1
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in found:
        metric = re.split("[. ]", row.key)[0]
        looks = metric, *map(format_number, row.cells)
        if row.factor is not None:
            if not (is_only and looks in rows):
                rows[row.key, row.factor] = _table_row(row)
        elif looks in rows:
            rows[looks]["keys"].append(row.key)
            rows[looks]["meaning"] += f" {meaning_of(row.key)}"
        else:
            rows[looks] = _table_row(row)
    return list(rows.values())


def _table_row(row: ScoreRow) -> dict[str, Any]:
    meaning = meaning_of(row.key) if row.factor is None else ""
    return {"keys": [row.key], "factor": row.factor, "cells": row.cells, "meaning": meaning}
