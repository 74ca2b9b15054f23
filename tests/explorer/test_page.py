"""The page as a visitor uses it, in a real browser."""

import base64
import io
import re
import threading

import numpy as np
import pytest
from PIL import Image

from keras_devae.explorer import serving
from keras_devae.explorer.page import make_page
from keras_devae.explorer.serving import address_of, listen, make_server

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def serve():
    """Serves the page of a session from a thread; returns its address."""
    running = []

    def start(session):
        listener, server = listen(), make_server(make_page(session))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        running.append((server, thread, listener))
        return address_of(listener)

    yield start
    for server, thread, listener in running:
        server.should_exit = True
        thread.join()
        listener.close()


@pytest.fixture(scope="module")
def address(serve, painter):
    return serve(painter())


@pytest.fixture(scope="module")
def address_with_categories(serve, painter):
    return serve(painter(with_factors=False, with_categories=True))


@pytest.fixture
def visit(browser_page):
    """Opens an address on the image of row 10; no error and no other host may follow."""
    requests = []
    browser_page.on("request", lambda request: requests.append(request.url))

    def open_page(address):
        browser_page.goto(address)
        choose(browser_page, 10)
        wait_for(browser_page, "original", halves, 150, 100)
        return browser_page

    yield open_page
    assert browser_page.console_errors == []
    assert {re.match(r"data:|https?://[^/:]+", url).group() for url in requests} <= {
        "data:",
        "http://127.0.0.1",
    }


def picture_in(page, name):
    source = page.get_by_alt_text(f"{name} image").get_attribute("src")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(source.split(",")[1]))))


def halves(image):
    """The grey levels of the left and the right half."""
    return image[0, 0, 0], image[0, 3, 0]


def wait_for(page, name, measure, *expected):
    """Waits until a picture shows what is expected."""
    for _ in range(100):
        found = measure(picture_in(page, name))
        if found == expected:
            return
        page.wait_for_timeout(50)
    assert found == expected


def choose(page, row):
    page.get_by_label("Number of the image").fill(str(row))


def row_in(page):
    return int(page.get_by_label("Number of the image").input_value())


def levels_of(row):
    """The grey levels of the image of a row."""
    return 50 * (row // 3), 100 * (row % 3)


def slider(page, name):
    return page.get_by_label(f"range slider for {name}")


def names_of_sliders(page):
    labels = page.locator("input[type=range]:visible").evaluate_all(
        "ranges => ranges.map(range => range.ariaLabel)"
    )
    return [label.removeprefix("range slider for ") for label in labels]


def test_a_slider_changes_the_picture_and_not_the_image(visit, address):
    page = visit(address)
    wait_for(page, "decoded", halves, 150, 100)
    slider(page, "z2 left").focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    # Four steps of 0.05, each of them 2.5 grey levels.
    wait_for(page, "decoded", halves, 160, 100)
    page.get_by_label("number input for z0 right").fill("1")
    wait_for(page, "decoded", halves, 160, 200)
    assert halves(picture_in(page, "original")) == (150, 100)
    page.get_by_role("button", name="Reset sliders").click()
    wait_for(page, "decoded", halves, 150, 100)
    assert slider(page, "z2 left").input_value() == "1"
    assert page.get_by_text("Image 10: left 3, right 1").is_visible()


def test_a_layer_brings_its_own_latents(visit, address):
    page = visit(address)
    assert names_of_sliders(page) == ["z2 left", "z0 right"]
    page.get_by_label("1", exact=True).check()
    slider(page, "z2 left").wait_for(state="hidden")
    assert names_of_sliders(page) == ["z0 right"]
    assert page.get_by_text("1 of 4 latents is active").is_visible()
    page.get_by_label("number input for z0 right").fill("1")
    # The latent that is not shown keeps what this layer says of the image.
    wait_for(page, "decoded", halves, 150, 200)


def test_latents_that_are_not_active_are_shown_on_demand(visit, address):
    page = visit(address)
    page.get_by_label("Also show inactive latents").check()
    slider(page, "z1").wait_for()
    assert names_of_sliders(page) == ["z2 left", "z0 right", "z1", "z3"]
    page.get_by_label("number input for z1").fill("1")
    wait_for(page, "decoded", halves, 255, 255)
    page.get_by_label("Also show inactive latents").uncheck()
    slider(page, "z1").wait_for(state="hidden")
    choose(page, 0)
    wait_for(page, "decoded", halves, 0, 0)
    page.get_by_label("number input for z0 right").fill("0")
    wait_for(page, "decoded", halves, 0, 100)


def test_images_are_chosen_by_row_or_at_random(visit, address):
    page = visit(address)
    choose(page, 99)
    wait_for(page, "decoded", halves, 200, 200)
    assert row_in(page) == 14
    rows = set()
    for _ in range(8):
        with page.expect_response(lambda response: "run/predict" in response.url):
            page.get_by_role("button", name="Random image").click()
        for name in ("original", "decoded"):
            wait_for(page, name, lambda image: (halves(image) == levels_of(row_in(page)),), True)
        rows.add(row_in(page))
    assert len(rows) > 2
    row = row_in(page)
    page.get_by_text(f"Image {row}: left {row // 3}, right {row % 3}").wait_for()


def test_a_category_is_chosen(visit, address_with_categories):
    page = visit(address_with_categories)
    assert names_of_sliders(page) == ["z2", "z0"]
    assert not page.get_by_text("Latent layer").is_visible()
    # Row 10 is of category 1, which is painted in the negative.
    wait_for(page, "decoded", halves, 105, 155)
    page.get_by_label("0", exact=True).check()
    wait_for(page, "decoded", halves, 150, 100)
    page.get_by_label("number input for z0").fill("1")
    wait_for(page, "decoded", halves, 150, 200)
    page.get_by_role("button", name="Reset sliders").click()
    wait_for(page, "decoded", halves, 105, 155)


def test_two_visitors_do_not_disturb_each_other(visit, address, chromium):
    page, other = visit(address), chromium.new_page()
    other.goto(address)
    choose(other, 0)
    wait_for(other, "decoded", halves, 0, 0)
    page.get_by_label("number input for z0 right").fill("1")
    wait_for(page, "decoded", halves, 150, 200)
    other.get_by_label("number input for z2 left").fill("2")
    wait_for(other, "decoded", halves, 200, 0)
    other.close()


def test_pictures_are_enlarged_without_smoothing(visit, address):
    page = visit(address)
    for name in ("original", "decoded"):
        image = page.get_by_alt_text(f"{name} image")
        assert image.bounding_box()["width"] > 200
        style = image.evaluate("image => getComputedStyle(image).imageRendering")
        assert style == "pixelated"


def test_python_opens_the_same_page(painter, visit, monkeypatch, capsys):
    """It serves until Ctrl-C, here until it has been looked at."""

    def serve_while_visiting(page, listener, browser, credentials):
        assert not browser and credentials is None
        server = make_server(page)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        wait_for(visit(address_of(listener)), "decoded", halves, 150, 100)
        server.should_exit = True
        thread.join()

    monkeypatch.setattr(serving, "serve", serve_while_visiting)
    session = painter()
    serving.explore(session.model, session.dataset, browser=False)
    assert "The page is at http://127.0.0.1:" in capsys.readouterr().out


def test_the_page_works_behind_a_password(painter, chromium):
    known = {"username": "ann", "password": "päss:word"}
    with listen() as listener:
        server = make_server(make_page(painter()), credentials=tuple(known.values()))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            with chromium.new_context(http_credentials=known) as context:
                page = context.new_page()
                page.goto(address_of(listener))
                choose(page, 10)
                wait_for(page, "decoded", halves, 150, 100)
            with chromium.new_context(http_credentials={**known, "password": "x"}) as context:
                assert context.new_page().goto(address_of(listener)).status == 401
        finally:
            server.should_exit = True
            thread.join()


def test_nothing_bars_anybody(address, window, find_barriers, look):
    window.goto(address)
    slider(window, "z2 left").wait_for()
    # While Gradio starts, it shows a text of its own.
    window.get_by_text("Loading...").wait_for(state="detached")
    assert find_barriers(window) == []
    assert window.evaluate("document.documentElement.scrollWidth") <= window.viewport_size["width"]
    corner = look(window)[:4, :4].mean()
    assert corner > 250 if window.scheme == "light" else corner < 40


def test_the_first_screen_answers(address, window):
    window.goto(address)
    height = window.viewport_size["height"]
    shown = [
        window.get_by_text("Yes: each of the 2 factors has a latent of its own."),
        window.get_by_text('model.export_encoder("encoder")'),
        window.get_by_alt_text("decoded image"),
        slider(window, "z2 left"),
    ]
    for part in shown:
        part.wait_for()
        box = part.bounding_box()
        assert box["y"] + box["height"] < height


def test_on_a_telephone_the_images_stay_in_sight(address, window):
    window.goto(address)
    slider(window, "z2 left").wait_for()
    window.get_by_label("Also show inactive latents").check()
    slider(window, "z3").scroll_into_view_if_needed()
    window.evaluate("scrollTo(0, document.body.scrollHeight)")
    box = window.get_by_alt_text("decoded image").bounding_box()
    assert box["y"] >= 0 and box["y"] + box["height"] < window.viewport_size["height"]


def test_the_keyboard_does_it_all(address, window, walk_with_tab):
    window.goto(address)
    slider(window, "z2 left").wait_for()
    stops = walk_with_tab(window)
    names = [stop["name"] for stop in stops]
    assert names[0] == "Skip to the sliders" and stops[0]["left"] >= 0
    assert "Random image" in names and "range slider for z0 right" in names
    assert min(stop["outline"] for stop in stops) >= 2
    window.keyboard.press("Tab")
    window.keyboard.press("Enter")
    while window.evaluate("document.activeElement.ariaLabel") != "range slider for z2 left":
        window.keyboard.press("Tab")
    before = halves(picture_in(window, "decoded"))
    key = "ArrowLeft" if before[0] > 100 else "ArrowRight"
    for _ in range(4):
        window.keyboard.press(key)
    for _ in range(100):
        if halves(picture_in(window, "decoded")) != before:
            return
        window.wait_for_timeout(50)
    raise AssertionError("The picture stays the same.")
