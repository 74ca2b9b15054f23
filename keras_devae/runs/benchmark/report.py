"""The results of a benchmark as a person reads them."""

#: Heading of a column -> how its cell is made from a row that was measured.
_COLUMNS = {
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


def table_rows(report):
    """Returns a table of the measurements.

    Args:
        report: What `run_benchmark` returned.

    Returns:
        The pair of the headings and a list of rows of texts; those of a configuration that could
        not be measured are shorter.
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


def report_text(report):
    """Returns what stands above and below the table.

    Args:
        report: What `run_benchmark` returned.

    Returns:
        The pair of two texts.
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


def _below(report):
    machine = report["machine"]
    if (machine["load"] or 0) > 0.5 * machine["cores"]:
        yield (
            f"The machine was busy with something else before (load {machine['load']:.1f} on "
            f"{machine['cores']} cores): these figures are not what it can do."
        )
    if any(row.get("peak_share", 0) > 1 for row in report["rows"]):
        yield (
            "More than 100% of the peak was reached: something else slowed the product of "
            "matrices down. These figures are unreliable; measure again on an idle machine."
        )
    left_out = max((row.get("images_left_out", 0) for row in report["rows"]), default=0)
    if left_out:
        yield f"Memory lacks {left_out:,} of the images that train keeps on the device."
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


def _precision(name):
    return {"off": "float32"}.get(name, name).removeprefix("mixed_")


def _median(values, form):
    return "" if values is None else form.format(values["median"])


def _spread(values, form):
    median, low, high = (form.format(values[name]) for name in ("median", "low", "high"))
    return f"{median} [{low}, {high}]"


def _memory(row):
    memory, device = row["memory_megabytes"], row["device_memory_megabytes"]
    parts = [] if memory is None else [f"{memory:,}"]
    return " + ".join([*parts, *([] if device is None else [f"{device:,} device"])])
