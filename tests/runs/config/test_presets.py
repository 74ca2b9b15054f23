"""What presets mean for a model and a data set."""

import json

import pytest

from keras_devae import data
from keras_devae.errors import UsageError
from keras_devae.runs import PRESETS, RunConfig
from keras_devae.runs.config.presets import EXPECTED_SCORES, expected_scores, preset_for

HEADER = "preset,model,dataset,source,metric,count,mean,std,low,high,measured\n"


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("model", ["beta_vae", "dynamic_vae", "devae", "pca"])
def test_options_are_those_that_a_run_gets(preset, model):
    settings = PRESETS[preset][1]
    dataset = data.load("dsprites", source="rendered", image_size=settings.get("image_size"))
    resolved = RunConfig(model=model, dataset="dsprites", **settings).resolved(dataset)
    found = preset_for(preset, model, "dsprites")
    assert found["options"] == resolved.model.options
    assert tuple(found["image_shape"]) == dataset.image_shape
    assert found["unavailable"] is None and json.loads(json.dumps(found))


def test_a_set_that_cannot_be_drawn_has_its_own_sizes():
    assert "32" in preset_for("small", "vae", "cars3d")["unavailable"]
    assert preset_for("quick", "vae", "cars3d")["unavailable"] is None


def test_expected_scores_come_from_a_table(tmp_path):
    table = tmp_path / "expected.csv"
    table.write_text(
        f"{HEADER}small,beta_vae,dsprites,rendered,mig.score,5,0.2,0.05,0.138,0.262,in 2026\n"
        "small,beta_vae,dsprites,official,mig.score,3,0.25,0.05,0.126,0.374,in 2026\n"
        "small,devae,dsprites,rendered,mig.score,5,0.3,0.05,0.238,0.362,in 2026\n"
    )
    rendered, official = expected_scores("small", "beta_vae", "dsprites", table)
    assert rendered == {
        "source": "rendered",
        "metric": "mig.score",
        "measured": "in 2026",
        "count": 5,
        "mean": 0.2,
        "std": 0.05,
        "low": 0.138,
        "high": 0.262,
    }
    assert official["source"] == "official"
    assert expected_scores("quick", "beta_vae", "dsprites", table) == []


def test_the_packaged_table_holds_what_can_be_run():
    assert EXPECTED_SCORES.read_text(encoding="utf-8").startswith(HEADER)
    for line in EXPECTED_SCORES.read_text(encoding="utf-8").splitlines()[1:]:
        preset, model, dataset, source, *_ = line.split(",")
        assert source in ("rendered", "official")
        for row in preset_for(preset, model, dataset)["expected"]:
            assert row["low"] <= row["mean"] <= row["high"] and row["count"] > 1


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("smal", "vae", "dsprites"), "Did you mean 'small'"),
        (("small", "beta", "dsprites"), "Unknown model 'beta'"),
        (("small", "vae", "dsprite"), "Did you mean 'dsprites'"),
        (("small", "vae", "npz:x.npz"), "Unknown"),
    ],
)
def test_unknown_names_are_refused(names, message):
    with pytest.raises(UsageError, match=message):
        preset_for(*names)
