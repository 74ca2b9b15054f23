"""The table of a study's results."""

import csv
import io
import json

import pytest

from keras_devae.comparison.table_files import csv_text
from keras_devae.studies import result_rows

LAYERS = (
    {"layer": 0, "mig.score": 0.25, "active_variables.count": 2, "elbo": None},
    {"layer": 1, "mig.score": 1.0, "active_variables.count": 3, "elbo": None},
)


@pytest.fixture
def study(make_study, finish_run):
    """One run done, one failed, one not begun."""
    models = [
        {"model": "devae", "betas": [1, 10]},
        {"model": "beta_vae", "beta": 4},
        {"model": "beta_vae", "beta": 0.5},
    ]
    study = make_study({"list": models})
    done, failed, _ = study.runs
    finish_run(study, done, LAYERS)
    done.note_start()
    done.note_end(0, 2.5)
    failed.fail('The loss became "nan", at step 2.', 1)
    return study


def cells(study):
    return list(csv.DictReader(io.StringIO(csv_text(result_rows(study)))))


def test_one_row_for_each_run_layer_and_metric(study):
    rows = cells(study)
    assert [(row["layer"], row["metric"], row["value"]) for row in rows] == [
        ("0", "mig.score", "0.25"),
        ("0", "active_variables.count", "2.0"),
        ("1", "mig.score", "1.0"),
        ("1", "active_variables.count", "3.0"),
        ("", "", ""),
        ("", "", ""),
    ]
    assert [row["state"] for row in rows] == ["done"] * 4 + ["failed", "waiting"]
    assert [row["reason"] for row in rows[3:]] == ["", 'The loss became "nan", at step 2.', ""]


def test_every_setting_is_there_and_has_one_type(study):
    rows = cells(study)
    settings = study.plan[study.runs[0].name][1].to_dict()
    assert set(settings) - {"model_options"} < set(rows[0])
    assert [row["option.beta"] for row in rows] == [""] * 4 + ["4.0", "0.5"]
    assert [json.loads(row["option.betas"]) for row in rows[:4]] == [[1.0, 10.0]] * 4
    assert rows[5]["option.betas"] == ""
    assert {row["seed"] for row in rows} == {"0"} and {row["skip_damaged"] for row in rows} == {
        "false"
    }
    assert {row["metrics"] for row in rows} == {'["kl"]'}
    assert all(row["dataset"].endswith("images.npz") for row in rows)


def test_what_made_a_run_is_there(study):
    first, last = cells(study)[0], cells(study)[-1]
    assert first["version.keras_devae"] == "0.1.0" and first["version.keras"] == "3.15.0"
    assert first["data.source"] == "npz" and json.loads(first["data.provenance"])
    assert first["seconds"] == "2.5" and last["seconds"] == "0.0" and last["version.keras"] == ""
    assert first["key"] == study.plan[study.runs[0].name][0]


def test_pandas_reads_a_type_for_each_column(study):
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_csv(io.StringIO(csv_text(result_rows(study))))
    assert frame["value"].dtype == frame["learning_rate"].dtype == "float64"
    assert frame["steps"].dtype == "int64" and frame["skip_damaged"].dtype == "bool"
    done = frame[frame["state"] == "done"]
    assert done.pivot(index="layer", columns="metric", values="value").loc[1, "mig.score"] == 1


@pytest.mark.parametrize("name", ["config.json", "metrics.json"])
@pytest.mark.parametrize("content", ["{", "[]", "{}"])
def test_a_damaged_run_has_a_row_with_the_reason(study, name, content):
    (study.runs[0].directory.path / name).write_text(content)
    rows = cells(study)
    assert [row["state"] for row in rows] == ["done", "failed", "waiting"]
    assert name in rows[0]["reason"] and rows[0]["value"] == ""
    assert rows[0]["model"] == "devae"


def test_it_goes_straight_to_parquet(study, tmp_path):
    pytest.importorskip("pyarrow")
    from pyarrow import csv as arrow_csv
    from pyarrow import parquet

    table = arrow_csv.read_csv(io.BytesIO(csv_text(result_rows(study)).encode()))
    parquet.write_table(table, tmp_path / "results.parquet")
    back = parquet.read_table(tmp_path / "results.parquet")
    assert back.num_rows == 6
    types = {field.name: str(field.type) for field in back.schema}
    assert (types["value"], types["layer"], types["seed"]) == ("double", "int64", "int64")
    assert (types["option.beta"], types["option.betas"]) == ("double", "string")
    assert types["skip_damaged"] == "bool"
