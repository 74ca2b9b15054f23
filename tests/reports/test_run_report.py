"""The page about a run: what it says, shows and links to, whatever the run has or lacks."""

import html
import itertools
import re
import shlex

import numpy as np
import pytest
from PIL import Image

from keras_devae.evaluation.latents import measure_latents
from keras_devae.evaluation.wording import percent
from keras_devae.files import file_hash
from keras_devae.reports import tables, write_report
from keras_devae.reports.plots import KINDS
from keras_devae.reports.problems import find_problems
from keras_devae.runs import Run

FIGURES = {
    *("traversal", "information-map", "information-over-layers", "factor-scatter"),
    *("reconstructions", "samples", "learning-curves"),
}


def report_on(made):
    run, model, config, dataset = made
    figures = write_report(run, model, config, dataset, run.read_metrics())
    return run.report_file.read_text(encoding="utf-8"), figures


@pytest.fixture(scope="module")
def made(make_run, tmp_path_factory):
    """A run of a DeVAE with three layers, whose name is not good HTML."""
    return make_run(tmp_path_factory.mktemp("runs") / "a<b> & 'c'")


@pytest.fixture(scope="module")
def report(made):
    return report_on(made)


def test_a_figure_is_called_as_it_is_typed(report):
    """`keras-devae plot KIND` draws the report's own anew, and no second one beside it."""
    assert set(report[1]) <= set(KINDS)


def test_the_page_is_whole_and_needs_nothing_else(report, read_page):
    page = read_page(report[0])
    assert page.tags[0] == ("html", {"lang": "en"})
    assert not {"script", "iframe", "object"} & {tag for tag, _ in page.tags}
    for tag, attributes in page.tags:
        for name in ("src", "href"):
            address = attributes.get(name, "data:")
            assert address.startswith(("data:", "#")), (tag, address)
    assert "url(" not in report[0] and "@import" not in report[0] and "http" not in report[0]
    assert len(report[0]) < 5e6


def test_headings_come_in_order_and_anchors_exist(report, read_page):
    page = read_page(report[0])
    levels = [level for level, _ in page.headings]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(b <= a + 1 for a, b in itertools.pairwise(levels))
    anchors = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    assert {link["href"].removeprefix("#") for link in page.links} <= anchors


def test_tables_name_their_rows_and_columns(report, read_page):
    page = read_page(report[0])
    tags = [tag for tag, _ in page.tags]
    assert tags.count("table") == tags.count("caption") == 3
    scopes = {attributes.get("scope") for tag, attributes in page.tags if tag == "th"}
    assert scopes == {"col", "row"}


def test_every_figure_is_there_with_its_words(report, made, read_page):
    text, files = report
    assert set(files) == FIGURES
    for name, file in files.items():
        assert file == made[0].figures / f"{name}.png"
        with Image.open(file) as image:
            assert np.asarray(image).std() > 0
    page = read_page(text)
    titles = {title for level, title in page.headings if level == 3}
    assert {"What each latent changes", "Reconstructions", "Samples", "Learning curves"} <= titles
    # A row of images for each active latent, an original and three layers, and three losses.
    assert len(page.images) >= 3 + 4 + 3 and all(len(image["alt"]) > 10 for image in page.images)


def test_texts_of_users_are_escaped(report):
    assert "a&lt;b&gt; &amp; &#39;c&#39;" in report[0]
    assert "&lt;column&gt;" in report[0]
    assert "a<b>" not in report[0] and "<column>" not in report[0]


def test_it_says_what_the_latents_hold(report, made):
    text, (_, model, config, dataset) = report[0], made
    latents = measure_latents(model, dataset, 0, 64, config.training.seed)
    assert len(latents.active) == 3
    assert f"{latents.kl.sum():.1f}</dd>" in text
    assert "is 0.31, on a scale from 0 to 1" in text
    sentences = find_problems(config, [], latents, [])
    assert sentences and all(html.escape(sentence) in text for sentence in sentences)


def test_tables_maps_and_sentences_tell_of_one_estimate(report, made, read_page):
    text, (_, model, config, dataset) = report[0], made
    latents = measure_latents(model, dataset, 0, 64, config.training.seed)
    alts = [html.unescape(image["alt"]) for image in read_page(text).images]
    (told,) = [alt for alt in alts if alt.startswith("A table of shades")]
    rows = dict(re.findall(r'<th scope="row">(z\d)</th><td>yes</td>(.*?)</tr>', text, re.DOTALL))
    said = re.findall(r"(z\d) carries (\d+ %) of ([^,.]+?)(?=,| and|\.)", told)
    assert len(said) == sum(latents.factor_of(d) is not None for d in latents.active) > 0
    for name, share, factor in said:
        assert share == percent(latents.share_of(int(name[1:]), factor))
        assert f'<td class="number">{share}</td>' in rows[name]
        assert f"{name} holds {factor} ({share})" in html.unescape(text)
    assert "samples of the posterior" not in text and "of the posterior means" in text


def test_another_file_leaves_the_folder_alone(report, made, tmp_path, read_page):
    run, model, config, dataset = made
    before = {file: file.stat().st_mtime_ns for file in run.figures.iterdir()}
    output = tmp_path / "page.html"
    assert write_report(run, model, config, dataset, run.read_metrics(), output) == {}
    assert {file: file.stat().st_mtime_ns for file in run.figures.iterdir()} == before
    images = read_page(output.read_text(encoding="utf-8")).images
    assert len(images) == len(read_page(report[0]).images)


def test_scores_of_other_weights_are_told(made, tmp_path):
    run, model, config, dataset = made
    pages = []
    for digest in (file_hash(run.model_file), "0" * 64):
        scores = run.read_metrics()
        scores["settings"]["model_sha256"] = digest
        output = tmp_path / "page.html"
        write_report(run, model, config, dataset, scores, output)
        pages.append("The model has changed since" in output.read_text(encoding="utf-8"))
    assert pages == [False, True]


def test_scores_of_another_layer_alone_are_not_those_of_the_first(made, tmp_path):
    run, model, config, dataset = made
    pages = []
    for layer in (0, 1):
        scores = run.read_metrics()
        scores["layers"] = [{**scores["layers"][0], "layer": layer}]
        write_report(run, model, config, dataset, scores, tmp_path / "page.html")
        pages.append((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert ["<dt>MIG</dt>" in page for page in pages] == [True, False]
    assert ["on a scale from 0 to 1" in page for page in pages] == [True, False]
    assert all("mig.<wbr>score" in page for page in pages)


def test_more_latents_than_the_table_has_rows(monkeypatch, made, tmp_path):
    run, model, config, dataset = made
    monkeypatch.setattr(tables, "ROWS", 2)
    write_report(run, model, config, dataset, None, tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Not shown: 1 weaker latent." in text and text.count('<th scope="row">z') == 2


def test_what_is_encoded_already_is_not_encoded_again(made, monkeypatch, tmp_path):
    run, model, config, dataset = made
    Run(run, config.replace(metrics=("kl",)), dataset, model).score()
    counts = []
    encode = type(model).encoder_posterior

    def counting(self, images, *arguments):
        counts.append(len(images))
        return encode(self, images, *arguments)

    monkeypatch.setattr(type(model), "encoder_posterior", counting)
    write_report(run, model, config, dataset, None, tmp_path / "page.html")
    # Those that the traversals and the reconstructions are of, not the 64 of the latents.
    assert counts and sum(counts) < 64


def test_a_categorical_code(make_run, tmp_path, read_page):
    text, files = report_on(make_run(tmp_path / "run", "joint_vae"))
    assert "<dt>category 0 to" in text
    assert '<th scope="row">category</th>' in text
    # The model has one layer.
    assert set(files) == FIGURES - {"information-over-layers"}
    assert len(read_page(text).images) > len(files)


def test_a_run_that_lacks_nearly_all(make_run, tmp_path, read_page):
    """No factors, no scores, no history, not trained to the end; and a figure from training."""
    made = make_run(tmp_path / "run", "vae", factors=False, scores=None)
    run = made[0]
    run.history_file.unlink()
    run.checkpoints.mkdir()
    run.model_file.rename(run.checkpoint_file(5))
    run.tracking.mkdir()
    Image.new("L", (30, 20)).save(run.tracking / "kl.png")
    text, files = report_on(made)
    assert set(files) == {"traversal", "reconstructions", "samples", "kl"}
    assert len(read_page(text).images) >= 4
    assert "have no known factors" in text and "has not been measured" in text
    assert "Training stopped early" in text
    # That is what computes the scores too, once training is done.
    command = shlex.join(["keras-devae", "train", "--resume", str(run.path)])
    assert f"Measure it with: <code>{command}</code>" in html.unescape(text)
    run.claim()
    text, _ = report_on(made)
    assert "Training is in progress" in text and "Training stopped early" not in text


def test_a_run_that_asks_for_no_scores(make_run, tmp_path):
    made = make_run(tmp_path / "run", "vae", scores=None, metrics=())
    text, _ = report_on(made)
    run = made[0]
    words = ["evaluate", str(run.path), "--output", str(run.metrics_file), "--metrics", "mig,kl"]
    command = shlex.join(["keras-devae", *words])
    assert f"Measure it with: <code>{command}" in html.unescape(text)


def test_a_collapsed_code(make_run, tmp_path):
    run, model, config, dataset = make_run(tmp_path / "run", "vae")
    for layer in model.encoder.layers:
        if layer.name.startswith("z_"):
            layer.kernel.assign(0 * layer.kernel)
            layer.bias.assign(0 * layer.bias)
    run.write_history([{"step": 10, "loss": 30.0, "kl_loss": 0.0}])
    text, files = report_on((run, model, config, dataset))
    assert "No: no latent dimension is active" in text
    assert "The posterior has collapsed" in text
    assert "information-map" not in files
