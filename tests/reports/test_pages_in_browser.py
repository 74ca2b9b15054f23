"""The pages in a browser: from disk, without a network, with and without JavaScript."""

import itertools

import numpy as np
import pytest

from keras_devae.evaluation import evaluate
from keras_devae.metrics import MetricWarning
from keras_devae.reports import write_comparison, write_encoder_report, write_report

pytestmark = pytest.mark.browser

BROKEN = (
    "Array.from(document.images).filter(image => !image.complete || !image.naturalWidth).length"
)
HEADINGS = "Array.from(document.querySelectorAll('h1,h2,h3,h4')).map(h => Number(h.tagName[1]))"
WHICH = pytest.mark.parametrize("which", [0, 1, 2], ids=["run", "comparison", "encoder"])
ANSWERS = ("Did it work?", "What does each latent hold?", "What to do next")
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


@WHICH
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


@WHICH
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
    assert browser_page.title() == "DeVAE on images.npz: run 0"


@WHICH
def test_nothing_bars_anybody(pages, window, find_barriers, look, which):
    window.goto(pages[which].as_uri())
    assert find_barriers(window) == []
    corner = look(window, full_page=True)[:4, :4].mean()
    assert corner > 250 if window.scheme == "light" else corner < 40


@pytest.mark.parametrize("which", [0, 2], ids=["run", "encoder"])
def test_the_first_screen_answers(pages, window, which):
    """Whether it worked, what each latent holds, and what to do next, with a command."""
    window.goto(pages[which].as_uri())
    height = window.viewport_size["height"]
    for heading in ANSWERS:
        box = window.get_by_role("heading", name=heading).bounding_box()
        assert box["y"] + box["height"] < height
    command = window.locator(".steps code").first
    assert command.inner_text().startswith("keras-devae ")
    box = command.bounding_box()
    assert box["y"] + box["height"] < height
    assert window.locator(".holdings dt").count() == 3


@WHICH
def test_the_keyboard_reaches_all(pages, window, walk_with_tab, which):
    window.goto(pages[which].as_uri())
    first, *others = walk_with_tab(window)
    assert first["name"] == "Skip to the content" and first["left"] >= 0
    assert min(stop["outline"] for stop in (first, *others)) >= 2
    tops = [stop["top"] for stop in others]
    # From the top to the bottom, and along a line.
    assert all(after >= before - 4 for before, after in itertools.pairwise(tops))
    window.keyboard.press("Tab")
    window.keyboard.press("Enter")
    assert window.evaluate("document.activeElement.id") == "content"


def test_a_table_shows_that_it_goes_on(pages, window, look):
    window.goto(pages[0].as_uri())
    region = window.get_by_role("region", name="Table of scores", exact=True)
    width = region.evaluate("region => region.clientWidth")
    if region.evaluate("region => region.scrollWidth") == width:
        assert window.viewport_size["width"] > 1000
        return
    region.scroll_into_view_if_needed()
    page = 255 if window.scheme == "light" else 17
    at_start = look(region).astype(int)
    region.focus()
    region.evaluate("region => { region.style.outline = 'none'; region.scrollLeft = 10000; }")
    at_end = look(region).astype(int)
    left, right = (slice(0, None), slice(0, 2)), (slice(0, None), slice(width - 3, width - 1))

    def shade(picture, edge):
        return abs(float(np.median(picture[edge])) - page)

    assert shade(at_start, right) > 15 and shade(at_start, left) < 5
    assert shade(at_end, left) > 15 and shade(at_end, right) < 5


def test_figures_can_be_read(pages, window):
    """Letters of 13 pixels in a chart, images of 32 pixels: neither shrinks below 10 and 30."""
    window.goto(pages[0].as_uri())
    shrinks = "images => images.map(image => image.clientWidth / image.naturalWidth)"
    assert min(window.locator(".chart img").evaluate_all(shrinks)) > 0.75
    widths = window.locator(".rows img").evaluate_all("images => images.map(i => i.clientWidth)")
    assert min(widths) / 10 > 30


def test_charts_are_as_dark_as_the_page(pages, window, look):
    window.goto(pages[0].as_uri())
    chart = look(window.locator(".chart img").first)
    background = np.median(chart)
    assert background > 250 if window.scheme == "light" else background < 40
    # What is drawn stands out from it.
    assert np.abs(chart.astype(float) - background).max() > 150
