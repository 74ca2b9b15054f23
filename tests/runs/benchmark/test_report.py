"""The table of a benchmark."""

from keras_devae.runs.benchmark import report_text, table_rows


def spread(median):
    return {"median": median, "low": 0.9 * median, "high": 1.1 * median}


MEASURED = {
    "backend": "jax",
    "batch_size": 64,
    "precision": "mixed_bfloat16",
    "settings": "CPU, mixed bfloat16",
    "memory_megabytes": 1234,
    "device_memory_megabytes": 56,
    "step_gigaflop": 2.0,
    "first_step_seconds": 3.21,
    "steps_per_second": spread(20.0),
    "waiting_share": spread(0.025),
    "page_faults_per_step": spread(1234.4),
    "data_images_per_second": spread(50_000.0),
    "encoding_images_per_second": spread(7000.0),
    "peak_gigaflops": 80.0,
    "peak_share": 0.5,
}
REPORT = {
    "machine": {
        "processor": "Abacus 2000",
        "instruction_sets": ["BEADS", "RODS"],
        "cores": 2,
        "load": 0.4,
        "memory_megabytes": 16_000,
        "accelerator": None,
        "python": "3.11",
        "versions": {"keras": "3.15.1"},
    },
    "settings": {"model": "devae"},
    "data": "squares",
    "choices": {"jax": "CPU, float32"},
    "fastest": {
        **{name: MEASURED[name] for name in ("backend", "batch_size", "precision")},
        "images_per_second": 1280.0,
    },
    "rows": [
        MEASURED,
        {"backend": "jax", "batch_size": 256, "precision": "off", "failure": "out of memory"},
    ],
}


def test_a_row_a_configuration():
    headings, rows = table_rows(REPORT)
    assert dict(zip(headings, rows[0], strict=True)) == {
        "backend": "jax",
        "batch": "64",
        "precision": "bfloat16",
        "steps/s": "20 [18, 22]",
        "first step s": "3.2",
        "encoding images/s": "7,000",
        "data images/s": "50,000",
        "waiting for data": "2.5%",
        "memory MB": "1,234 + 56 device",
        "page faults/step": "1,234",
        "GFLOP/s": "40",
        "of peak": "50% of 80",
    }
    assert rows[1] == ["jax", "256", "float32", "not measured"]


def test_a_system_that_tells_little():
    machine = {**REPORT["machine"], "instruction_sets": []}
    row = {k: v for k, v in MEASURED.items() if k != "page_faults_per_step"}
    report = {**REPORT, "machine": machine, "rows": [row]}
    headings, rows = table_rows(report)
    assert rows[0][headings.index("page faults/step")] == ""
    assert "Abacus 2000, 2 cores" in report_text(report)[0]


def test_what_failed_before_the_encoding_has_a_row_too():
    partial = {k: v for k, v in MEASURED.items() if k != "encoding_images_per_second"}
    headings, rows = table_rows({**REPORT, "rows": [{**partial, "failure": "killed"}]})
    assert rows[0][headings.index("encoding images/s")] == "" and "40" in rows[0]


def test_lines_around_the_table():
    above, below = report_text(REPORT)
    assert (
        "Abacus 2000 with BEADS, RODS, 2 cores, 16 GB, no accelerator" in above
        and "squares" in above
    )
    assert below.splitlines() == [
        "jax, batch 256, float32: out of memory",
        "What train would choose on jax: CPU, float32.",
        "Fastest: jax, batch 64, bfloat16: 1,280 images/s.",
    ]


def test_a_busy_machine_is_named():
    busy = {**REPORT, "machine": {**REPORT["machine"], "load": 1.26}}
    assert "(load 1.3 on 2 cores)" in report_text(busy)[1].splitlines()[0]


def test_more_than_the_peak_is_no_figure():
    (line, *_) = report_text({**REPORT, "rows": [{**MEASURED, "peak_share": 1.01}]})[1].splitlines()
    assert "100%" in line and "unreliable" in line


def test_images_that_memory_lacks_are_named():
    (line, *_) = report_text({**REPORT, "rows": [{**MEASURED, "images_left_out": 12_345}]})[
        1
    ].splitlines()
    assert "12,345 of the images" in line


def test_noise_is_no_waiting():
    headings, rows = table_rows({**REPORT, "rows": [{**MEASURED, "waiting_share": spread(-0.02)}]})
    assert rows[0][headings.index("waiting for data")] == "0.0%"


def test_without_any_measurement():
    failed = {**REPORT, "rows": REPORT["rows"][1:], "fastest": None, "choices": {}}
    assert report_text(failed)[1] == "jax, batch 256, float32: out of memory"
