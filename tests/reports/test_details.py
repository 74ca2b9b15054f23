"""Where a run's images are from, and when it ran."""

from keras_devae.reports.details import describe_provenance, run_details
from keras_devae.runs import RunConfig, RunDirectory

OFFICIAL = {
    "source": "official",
    "file": "dsprites.npz",
    "bytes": 26_000,
    "sha256": "ab12",
    "matches_published": True,
}
RECORD = {
    "data": {"source": "rendered", "renderer": "dsprites", "renderer_version": 1},
    "environment": {
        "keras_devae": "0.1.0",
        "python": "3.12.0",
        "backend": "jax",
        "device": "cpu",
        "packages": {"keras": "3.15.0", "torch": None},
    },
}


def test_an_official_file_is_named_with_its_hash():
    text = describe_provenance(OFFICIAL)
    assert text.startswith("The published file. It has the published hash.")
    assert "file dsprites.npz" in text and "sha256 ab12" in text
    assert "differs from the published" in describe_provenance(
        {**OFFICIAL, "matches_published": False}
    )
    assert "published one" not in describe_provenance({**OFFICIAL, "matches_published": None})


def test_a_renderer_is_named_with_its_version():
    text = describe_provenance(RECORD["data"])
    assert text.startswith("Drawn by this package") and "renderer version 1" in text


def test_long_lists_are_cut():
    text = describe_provenance(
        {"source": "folder", "skipped": [f"picture{i}.png" for i in range(999)]}
    )
    assert text.startswith("folder.") and len(text) <= 400 and text.endswith("…")


def test_the_parts_of_a_code_are_named():
    facts = dict(run_details(RunConfig(model="ladder_vae"), RECORD, "x"))
    assert facts["Parts of the code"] == "layer 1 z0 to z5; layer 2 z6 to z8; layer 3 z9"
    config = RunConfig(model="ladder_vae", model_options={"layer_dims": (8, 2)})
    facts = dict(run_details(config, RECORD, "x"))
    assert facts["Parts of the code"] == "layer 1 z0 to z7; layer 2 z8 to z9"
    assert "Parts of the code" not in dict(run_details(RunConfig(model="vae"), RECORD, "x"))


def test_facts_of_a_run():
    times = {"begun": "2023-11-14T22:13:20+00:00", "trained": "2023-11-14T22:15:25+00:00"}
    config, record = RunConfig(model="beta_vae", seed=3), {**RECORD, "times": times}
    facts = dict(run_details(config, record, "dsprites: drawn"))
    assert facts["Started"] == "2023-11-14 22:13 UTC"
    assert facts["Training time"] == "2 min 5 s, including interruptions"
    assert "backend jax" in facts["Machine"] and "torch" not in facts["Versions"]
    assert "Higgins" in facts["Paper"] and "seed 3" in facts["Training"]
    # A run that is interrupted has no end, and the dates of files stand for nothing.
    begun = {**RECORD, "times": {"begun": times["begun"]}}
    assert "Training time" not in dict(run_details(config, begun, "x"))
    assert "Started" not in dict(run_details(config, RECORD, "x"))
    assert "Backends" not in facts
    chosen = config.replace(ema_momentum=0.99, learning_rate_schedule="plateau")
    text = dict(run_details(chosen, record, "x"))["Training"]
    assert ", plateau; moving average of the weights, momentum 0.99; " in text

    moved = dict(run_details(config, {**RECORD, "backends": ["jax", "tensorflow"]}, "x"))
    assert moved["Backends"] == "jax, then tensorflow"


def test_times_stay_with_a_run(tmp_path):
    run = RunDirectory(tmp_path)
    run.write_record(RunConfig(seed=3), {"source": "rendered"}, {"python": "3.12.0"})
    run.record_time("begun")
    begun = run.read_record()["times"]["begun"]
    run.record_time("trained")
    record = run.read_record()
    assert set(record["times"]) == {"begun", "trained"} and record["times"]["begun"] == begun
    assert record["times"]["trained"] >= begun and begun.endswith("+00:00")
    assert run.read_config().training.seed == 3 and record["environment"] == {"python": "3.12.0"}


def test_factors_of_own_images_are_described_by_their_values():
    data = {
        "source": "folder",
        "factor_kinds": {"hue": "classes", "x": "continuous", "scale": "numbers", "n": "numbers"},
        "factor_classes": {"hue": ["blue", "red"]},
        "factor_levels": {"scale": [0.5, 1.0]},
        "factor_bins": {"x": {"min": 0.0, "max": 2.5, "count": 20}},
    }
    details = dict(run_details(RunConfig(), {**RECORD, "data": data}, "pictures"))
    assert details["Factors"] == (
        "hue: blue, red; x: continuous, 0 to 2.5, 20 bins of equal width where classes are needed; "
        "scale: 0.5, 1; n: whole numbers"
    )
    assert "blue" not in details["Source of the images"]
    assert "Factors" not in dict(run_details(RunConfig(), RECORD, "pictures"))
