"""Formats the results of a benchmark as text."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

#: Heading of a column -> function of a measured row that returns its cell.
_COLUMNS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "steps/s": lambda row: _spread(row["steps_per_second"], "{:.3g}"),
    "first step s": lambda row: f"{row['first_step_seconds']:.1f}",
    "encoding images/s": lambda row: _median(row.get("encoding_images_per_second"), "{:,.0f}"),
    "data images/s": lambda row: _median(row["data_images_per_second"], "{:,.0f}"),
    "waiting for data": lambda row: f"{max(row['waiting_share']['median'], 0):.1%}",
    "memory MB": lambda row: _memory(row),
    "page faults/step": lambda row: _median(row.get("page_faults_per_step"), "{:,.0f}"),
    "GFLOP/s": lambda row: f"{row['peak_share'] * row['peak_gigaflops']:,.0f}",
    "of peak": lambda row: f"{row['peak_share']:.0%} of {row['peak_gigaflops']:,.0f}",
}


def table_rows(report: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Puts the measurements of a benchmark into a table.

    Args:
        report: What `run_benchmark` returned.

    Returns:
        Headings and rows; the row of a configuration that could not be measured is shorter.
    """
    headings = ["backend", "batch", "precision", *_COLUMNS]
    rows = []
    for row in report["rows"]:
        names = [row["backend"], str(row["batch_size"]), _precision(row["precision"])]
        if "steps_per_second" in row:
            rows.append([*names, *(cell(row) for cell in _COLUMNS.values())])
        else:
            rows.append([*names, "not measured"])
    return headings, rows


def report_text(report: Mapping[str, Any]) -> tuple[str, str]:
    """Describes a benchmark in words.

    Args:
        report: What `run_benchmark` returned.

    Returns:
        The texts above and below the table.
    """
    machine, settings = report["machine"], report["settings"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    memory = machine["memory_megabytes"]
    sets = ", ".join(machine["instruction_sets"])
    above = (
        f"{machine['processor']}{f' with {sets}' if sets else ''}, {machine['cores']} cores, "
        f"{f'{memory / 1000:.0f} GB, ' if memory else ''}"
        f"{machine['accelerator'] or 'no accelerator'}; Python {machine['python']}, {versions}\n"
        f"{settings['model']} on {report['data']}"
    )
    return above, "\n".join(_below(report))


def _below(report: Mapping[str, Any]) -> Iterator[str]:
    machine = report["machine"]
    if (machine["load"] or 0) > 0.5 * machine["cores"]:
        yield (
            f"The machine was busy beforehand (load {machine['load']:.1f} on {machine['cores']} "
            "cores): it can do better than these figures."
        )
    if any(row.get("peak_share", 0) > 1 for row in report["rows"]):
        yield (
            "More than 100% of the peak was reached: something else slowed down the product of "
            "matrices. These figures are unreliable; measure again on an idle machine."
        )
    left_out = max((row.get("images_left_out", 0) for row in report["rows"]), default=0)
    if left_out:
        yield f"Memory excludes {left_out:,} of the images that train keeps on the device."
    for row in report["rows"]:
        if "failure" in row:
            name = f"{row['backend']}, batch {row['batch_size']}, {_precision(row['precision'])}"
            yield f"{name}: {row['failure']}"
    for backend, choice in report["choices"].items():
        yield f"What train would choose on {backend}: {choice}."
    fastest = report["fastest"]
    if fastest:
        yield (
            f"Fastest: {fastest['backend']}, batch {fastest['batch_size']}, "
            f"{_precision(fastest['precision'])}: {fastest['images_per_second']:,.0f} images/s."
        )


def _precision(name: str) -> str:
    return {"off": "float32"}.get(name, name).removeprefix("mixed_")


def _median(values: Mapping[str, float] | None, form: str) -> str:
    return "" if values is None else form.format(values["median"])


def _spread(values: Mapping[str, float], form: str) -> str:
    median, low, high = (form.format(values[name]) for name in ("median", "low", "high"))
    return f"{median} [{low}, {high}]"


def _memory(row: Mapping[str, Any]) -> str:
    forms = {"memory_megabytes": "{:,}", "device_memory_megabytes": "{:,} device"}
    return " + ".join(form.format(row[n]) for n, form in forms.items() if row[n] is not None)
