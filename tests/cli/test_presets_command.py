"""`keras-devae presets`."""

import json

import pytest
from running import run

from keras_devae.runs.config import presets

ROW = "small,beta_vae,dsprites,rendered,mig.score,5,0.2,0.05,0.138,0.262,on two cores\n"
MORE = "small,beta_vae,dsprites,rendered,sap.score,5,0.02,0.01,0.008,0.032,on two cores\n"


@pytest.fixture
def table(tmp_path, monkeypatch):
    """Two expected scores in place of the package's."""
    file = tmp_path / "expected.csv"
    file.write_text(presets.EXPECTED_SCORES.read_text().splitlines()[0] + "\n" + ROW + MORE)
    monkeypatch.setattr(presets, "EXPECTED_SCORES", file)


@pytest.mark.usefixtures("table")
def test_options_and_expected_scores_of_a_model(capsys):
    assert run("presets", "--model", "beta_vae", "--dataset", "dsprites") == 0
    printed = capsys.readouterr().out
    # The published weight is for 64x64 pixels, and a sum over a quarter of them.
    assert "beta_vae on dsprites, 64x64x1:\n    --beta 6\n" in printed
    assert "beta_vae on dsprites, 32x32x1:\n    --beta 1.5\n" in printed
    assert printed.count("expected (5 seeds, rendered images, on two cores):") == 1
    assert "\n      mig.score 0.200 ± 0.050 [0.138, 0.262]\n      sap.score 0.020 ±" in printed
    assert printed.count("expected mig.score: not measured") == 2
    assert "sum over pixels" in printed and "vary a lot from seed" in printed


@pytest.mark.usefixtures("table")
def test_the_same_for_machines(capsys):
    assert run("presets", "--model", "beta_vae", "--dataset", "dsprites", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["small"]["options"] == {"beta": 1.5} and told["small"]["settings"]["steps"] == 20000
    assert [row["mean"] for row in told["small"]["expected"]] == [0.2, 0.02]
    assert told["quick"]["expected"] == []


def test_one_name_is_enough(capsys):
    assert run("presets", "--model", "dip_vae") == 0
    assert "dip_vae on shapes3d, 32x32x3:\n    --kind i  --lambda-od" in capsys.readouterr().out
    assert run("presets", "--dataset", "cars3d") == 0
    assert "not with this preset's image size" in capsys.readouterr().out
    assert run("presets", "--model", "betavae") == 2
    assert "Did you mean 'beta_vae'" in capsys.readouterr().err
