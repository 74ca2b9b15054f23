"""The pages in a browser: from disk, without a network, with and without JavaScript."""

import itertools

import pytest

from keras_devae.evaluation import evaluate
from keras_devae.metrics import MetricWarning
from keras_devae.reports import write_comparison, write_encoder_report, write_report

pytestmark = pytest.mark.browser

BROKEN = (
    "Array.from(document.images).filter(image => !image.complete || !image.naturalWidth).length"
)
HEADINGS = "Array.from(document.querySelectorAll('h1,h2,h3,h4')).map(h => Number(h.tagName[1]))"
NAMELESS = "Array.from(document.images).filter(image => !image.alt).length"


@pytest.fixture(scope="module")
def pages(make_run, tmp_path_factory):
    """The report of a run, a page that compares it with another, and one of an evaluation."""
    folder = tmp_path_factory.mktemp("runs")
    made = [make_run(folder / f"run {seed}", seed=seed) for seed in (0, 1)]
    for run, model, config, dataset in made:
        write_report(run, model, config, dataset, run.read_metrics())
    comparison = write_comparison([folder], folder / "comparison.html")
    _, model, _, dataset = made[0]
    with pytest.warns(MetricWarning):
        scores = evaluate(model, dataset, ["mig"])
    page = write_encoder_report(folder / "page", model, dataset, scores)
    return made[0][0].report_file, comparison, page


@pytest.mark.parametrize("which", [0, 1, 2], ids=["run", "comparison", "encoder"])
@pytest.mark.parametrize("width", [1200, 390])
def test_a_page_is_whole_from_disk(pages, browser_page, which, width):
    requests = []
    browser_page.on("request", lambda request: requests.append(request.url))
    browser_page.set_viewport_size({"width": width, "height": 800})
    browser_page.goto(pages[which].as_uri())
    assert browser_page.console_errors == []
    assert {url.split(":")[0] for url in requests[1:]} <= {"data"}
    assert browser_page.evaluate("document.images.length") >= 4
    assert browser_page.evaluate(BROKEN) == 0
    assert browser_page.evaluate(NAMELESS) == 0
    levels = browser_page.evaluate(HEADINGS)
    assert levels[0] == 1 and all(b <= a + 1 for a, b in itertools.pairwise(levels))
    # Wide tables scroll for themselves.
    assert browser_page.evaluate("document.documentElement.scrollWidth") <= width
    assert pages[which].stat().st_size < 5_000_000


@pytest.mark.parametrize("which", [0, 1, 2], ids=["run", "comparison", "encoder"])
def test_nothing_needs_javascript(pages, chromium, browser_page, which):
    browser_page.goto(pages[which].as_uri())
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(pages[which].as_uri())
    text = page.inner_text("body")
    context.close()
    assert len(text) > 500 and text == browser_page.inner_text("body")


def test_links_lead_to_the_reports(pages, browser_page):
    browser_page.goto(pages[1].as_uri())
    browser_page.get_by_role("link", name="run 0").click()
    browser_page.wait_for_load_state()
    assert browser_page.title().startswith("run 0: devae on npz:")
