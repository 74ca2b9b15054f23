"""The page that compares runs, made from what is in their folders."""

import math

import pytest
from PIL import Image

from keras_devae.errors import UsageError
from keras_devae.reports import write_comparison
from keras_devae.reports.comparison_figures import _points
from keras_devae.runs import RunConfig, RunDirectory

ERROR = "reconstruction_error.negative_log_likelihood"


@pytest.fixture
def make_finished(tmp_path):
    """Leaves in a folder what a page of several runs is made from."""

    def make(name, beta, seed, mig, error=20.0, report=True, picture=True):
        run = RunDirectory(tmp_path / "runs" / name)
        config = RunConfig(model="beta_vae", model_options={"beta": beta}, seed=seed)
        run.path.mkdir(parents=True)
        run.write_record(config, {"source": "rendered"}, {})
        run.write_metrics({"layers": [{"layer": 0, "mig.score": mig, ERROR: error}]})
        steps = [{"step": s, "reconstruction_loss": 9.0 - s, "kl_loss": s / 2.0} for s in (1, 2)]
        run.write_history(steps)
        if picture:
            run.figures.mkdir()
            Image.effect_noise((40, 30), 50).save(run.figures / "traversal.png")
        if report:
            run.report_file.write_text("a report")
        return run

    return make


@pytest.fixture
def runs(make_finished, tmp_path):
    """The folder of two groups of two runs, whose MIG is far apart."""
    make_finished("low 1", 2.0, 0, 0.10, 20.0)
    make_finished("low 2", 2.0, 1, 0.11, 21.0)
    make_finished("high 1", 8.0, 0, 0.50, 30.0)
    make_finished("<high>", 8.0, 1, 0.51, 30.5, report=False, picture=False)
    return tmp_path / "runs"


def test_groups_are_compared(runs, tmp_path, read_page):
    file = write_comparison([runs], tmp_path / "pages" / "page.html")
    text = file.read_text(encoding="utf-8")
    page = read_page(text)
    assert "4 runs in 2 groups" in text
    assert "Best mean MIG: beta_vae beta=8 (0.505), ahead of beta_vae beta=2 (0.105)." in text
    assert text.count("Their 95 % confidence intervals do not overlap.") == 2
    # Mean and half-width by hand: t of one degree of freedom is 12.706, the deviation 0.00707.
    assert "0.505 ± 0.007\n[0.441, 0.569]" in text
    # Boxes, scatter, curves, and a traversal of each group.
    assert len(page.images) == 5 and all(len(image["alt"]) > 20 for image in page.images)
    assert {tag for tag, _ in page.tags} & {"script", "iframe"} == set()
    assert [level for level, _ in page.headings][:2] == [1, 2]
    assert "&lt;high&gt;" in text and "<high>" not in text


def test_it_links_to_the_reports_that_there_are(runs, tmp_path, read_page):
    file = write_comparison([runs], tmp_path / "pages" / "page.html")
    page = read_page(file.read_text(encoding="utf-8"))
    links = [link["href"] for link in page.links if not link["href"].startswith("#")]
    expected = [f"../runs/{name}/report.html" for name in ("low%201", "low%202", "high%201")]
    assert sorted(links) == sorted(expected)


def test_metrics_that_rank_the_runs_alike(runs, tmp_path):
    """The four runs are in the same order by both scores."""
    text = write_comparison([runs], tmp_path / "page.html").read_text(encoding="utf-8")
    assert text.count('<td class="number">1.00</td>') == 4


def test_single_runs_without_pictures(make_finished, tmp_path, read_page):
    for beta in (2.0, 4.0):
        make_finished(f"b{beta}", beta, 0, 0.1 * beta, picture=False)
    file = write_comparison([tmp_path / "runs"], tmp_path / "page.html")
    text = file.read_text(encoding="utf-8")
    assert "With a single run, the difference may be due to the seed." in text
    assert "Not shown: beta_vae beta=2, beta_vae beta=4" in text
    assert "No rank correlation for mig and reconstruction (nats)" in text
    # The scatter and the curves.
    assert len(read_page(text).images) == 2


def test_runs_without_scores(make_finished, tmp_path):
    make_finished("one", 2.0, 0, 0.1).write_metrics({"layers": [{"layer": 0}]})
    make_finished("two", 4.0, 0, 0.1).write_metrics({"layers": [{"layer": 0}]})
    text = write_comparison([tmp_path / "runs"], tmp_path / "page.html").read_text("utf-8")
    assert "There is no score to compare." in text


def test_names_of_groups_are_no_formulas(make_finished, tmp_path, read_page):
    for seed, name in enumerate(("one", "two", "three")):
        dataset = "npz:a$x_{$b.npz" if seed else "npz:c.npz"
        config = RunConfig(model="beta_vae", dataset=dataset, seed=seed)
        make_finished(name, 2.0, seed, 0.1).write_record(config, {"source": "npz"}, {})
    text = write_comparison([tmp_path / "runs"], tmp_path / "page.html").read_text("utf-8")
    assert "$x_{$" in text
    # Boxes, scatter, curves and two traversals.
    assert len(read_page(text).images) == 5


def test_curves_are_of_the_layer():
    history = [
        {"step": 1, "kl_loss": 9.0, "kl_loss_layer_0": math.nan, "kl_loss_layer_1": 2.0},
        {"step": 2, "kl_loss": 8.0, "kl_loss_layer_0": 5.0, "kl_loss_layer_1": 3.0},
    ]
    assert _points(history, "kl_loss", 1) == ([1, 2], [2.0, 3.0])
    # No step of the first epoch drew layer 0.
    assert _points(history, "kl_loss", 0) == ([2], [5.0])
    assert _points([{"step": 1, "kl_loss": 9.0}], "kl_loss", 0) == ([1], [9.0])


def test_runs_that_are_not_finished_are_named(make_finished, tmp_path):
    make_finished("done", 2.0, 0, 0.1)
    make_finished("broken", 2.0, 1, 0.1).metrics_file.unlink()
    file = write_comparison([tmp_path / "runs"], tmp_path / "page.html")
    assert "broken is left out: not finished." in file.read_text(encoding="utf-8")
    with pytest.raises(UsageError, match="no run"):
        write_comparison([tmp_path / "runs" / "broken"], tmp_path / "page.html")
