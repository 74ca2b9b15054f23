"""The page about any encoder."""

import json

import numpy as np
import pytest

from keras_devae import data
from keras_devae.errors import FailureError, UsageError
from keras_devae.evaluation import FunctionEncoder, evaluate
from keras_devae.metrics import METRICS
from keras_devae.reports import write_encoder_report
from keras_devae.reports.encoder_report import write_encoder_page
from keras_devae.reports.formatting import format_number
from keras_devae.reports.tables import table_rows
from keras_devae.runs.evaluation_folder import EvaluationFolder

pytestmark = pytest.mark.filterwarnings("default::keras_devae.metrics.MetricWarning")


@pytest.fixture(scope="module")
def colours():
    factors = np.indices((4, 5, 6)).reshape(3, -1).T
    images = np.zeros((120, 8, 8, 3), np.uint8) + (factors * 20).astype(np.uint8)[:, None, None, :]
    return data.from_arrays(images, factors, factor_names=("<red>", "green", "blue"))


def means(images):
    return images.mean(axis=(1, 2)) * [1, 1, 0]


@pytest.fixture
def written(colours, tmp_path):
    encoder = FunctionEncoder(means, name="two <means>")
    scores = evaluate(encoder, colours, ["mig", "sap"], seed=3)
    write_encoder_report(tmp_path / "page", encoder, colours, scores)
    return EvaluationFolder(tmp_path / "page"), scores


def test_the_page_says_what_the_codes_hold(written, read_page):
    folder, scores = written
    text = folder.report_file.read_text("utf-8")
    page = read_page(text)
    assert (1, "two <means>") in page.headings
    for words in (
        *("2 of 3 codes vary", "z0 holds &lt;red&gt; (100 %)", "No code holds blue"),
        *(
            "have a code of their own: &lt;red&gt; and green.",
            "120, drawn with seed 3",
        ),
        f"{scores['layers'][0]['mig.score']:.3f}",
    ):
        assert words in text, words
    for factor, score in scores["details"][0]["mig"]["per_factor"].items():
        name = factor.replace("<red>", "&lt;red&gt;")
        row = f'class="part">mig: {name}</th>\n<td class="number">{format_number(score)}</td>'
        assert row in text
    assert "layer 0" not in text and "layer by layer" not in text
    # The map, and two panels of codes against factors.
    assert len(page.images) == 3 and all(image["alt"] for image in page.images)
    assert "KL, nats" not in text and "KL divergence" not in text


def test_the_page_is_made_again_from_the_folder_alone(written, tmp_path):
    folder, _ = written
    write_encoder_page(folder, tmp_path / "again.html")
    assert (tmp_path / "again.html").read_bytes() == folder.report_file.read_bytes()


def test_scores_of_another_layer_stand_in_the_table_alone(written):
    folder, scores = written
    title = next(iter(METRICS["mig"].numbers.values())).title
    assert f"<dt>{title}</dt>" in folder.report_file.read_text("utf-8")
    content = json.loads(folder.scores_file.read_text())
    content["layers"][0]["layer"] = 1
    folder.scores_file.write_text(json.dumps(content))
    text = write_encoder_page(folder).read_text("utf-8")
    assert f"<dt>{title}</dt>" not in text and "(MIG) is" not in text
    assert f"{scores['layers'][0]['mig.score']:.3f}" in text


def test_an_earlier_evaluation_is_replaced_and_other_files_are_not(written, colours, tmp_path):
    folder, scores = written
    write_encoder_report(folder.path, means, colours, scores)
    (folder.path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds other files"):
        write_encoder_report(folder.path, means, colours, scores)
    assert (folder.path / "notes.txt").read_text() == "mine"
    with pytest.raises(UsageError, match="must be what"):
        write_encoder_report(tmp_path / "new", means, colours, {"layers": []})


def test_damaged_scores_are_named(written):
    folder, _ = written
    content = json.loads(folder.scores_file.read_text())
    content["facts"]["latents"][0]["varies"].append(True)
    folder.scores_file.write_text(json.dumps(content))
    with pytest.raises(FailureError, match=r"scores\.json is damaged"):
        write_encoder_page(folder)
    folder.scores_file.write_text("{}")
    with pytest.raises(FailureError, match="Evaluate the encoder again"):
        write_encoder_page(folder)


def test_a_posterior_without_factors(blobs, tmp_path, read_page):
    images = blobs(64)
    unlabelled = data.from_arrays(images)

    def posterior(images):
        codes = images.mean(axis=(2, 3))[:, 2:5] / 20
        return {"z_mean": codes, "z_log_var": np.full(codes.shape, -3.0)}

    scores = evaluate(posterior, unlabelled, ["kl", "active_variables"])
    page = write_encoder_report(tmp_path / "page", posterior, unlabelled, scores)
    text = page.read_text("utf-8")
    assert read_page(text).images == []
    assert "no known factors" in text and "KL divergence of the active ones" in text


def test_no_two_rows_have_the_same_number(tmp_path):
    values = np.repeat(np.arange(5), 24)
    images = (
        np.zeros((120, 8, 8, 1), np.uint8) + (values * 20).astype(np.uint8)[:, None, None, None]
    )
    grey = data.from_arrays(images, values[:, None], factor_names=("grey",))
    encoder = FunctionEncoder(lambda images: images.mean(axis=(1, 2)) * [1, 0.5], name="twice")
    scores = evaluate(encoder, grey, ["mig", "dci"])
    text = write_encoder_report(tmp_path / "page", encoder, grey, scores).read_text("utf-8")
    # The only factor has the score that stands above it.
    assert "mig.<wbr>score" in text and "mig: grey" not in text
    rows = [(row["keys"][0].split(".")[0], row["cells"]) for row in table_rows(scores)]
    assert len(rows) == len({str(row) for row in rows})
    # Accuracies of 1 on the images that were fitted to, and on others.
    assert "informativeness_<wbr>train,<br>dci.<wbr>informativeness_<wbr>test" in text
