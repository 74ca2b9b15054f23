"""Fixtures of the tests that look at pages in a real Chromium."""

import io
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def chromium():
    """The system's Chromium, without a window."""
    from playwright.sync_api import sync_playwright

    found = [path for name in ("chromium", "google-chrome") if (path := shutil.which(name))]
    assert found, "These tests need Chromium: install the package chromium."
    # The flags keep it from looking for hosts of its own.
    quiet = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found[0], args=quiet)
        yield browser
        browser.close()


@pytest.fixture
def browser_page(chromium):
    """A page of Chromium; what its console says of errors is in `console_errors`."""
    page = chromium.new_page()
    page.console_errors = []
    page.on(
        "console",
        lambda message: message.type == "error" and page.console_errors.append(message.text),
    )
    page.on("pageerror", lambda error: page.console_errors.append(str(error)))
    yield page
    page.close()


#: Width and height of a telephone's and of a computer's window.
WINDOWS = {390: 844, 1280: 800}
_FOCUSED = """() => {
  const element = document.activeElement, style = getComputedStyle(element);
  const box = element.getBoundingClientRect();
  return {
    name: element.ariaLabel || element.textContent.trim() || element.id || element.tagName,
    isPage: element === document.body,
    top: box.top + scrollY,
    left: box.left,
    outline: style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth),
  };
}"""


@pytest.fixture(params=[(w, s) for w in WINDOWS for s in ("light", "dark")], ids=lambda p: f"{p}")
def window(request, chromium):
    """A page of Chromium at a telephone's and a computer's width, in the light and the dark."""
    width, scheme = request.param
    size = {"width": width, "height": WINDOWS[width]}
    with chromium.new_context(viewport=size, color_scheme=scheme) as context:
        page = context.new_page()
        page.scheme = scheme
        yield page


@pytest.fixture
def look(request):
    """Takes a picture of a page or of a part of it, uint8 `(height, width, 3)`.

    `KERAS_DEVAE_SCREENSHOTS` names a folder to keep the pictures in.
    """
    from PIL import Image

    def take(part, **options):
        content = part.screenshot(**options)
        folder = os.environ.get("KERAS_DEVAE_SCREENSHOTS")
        if folder:
            name = re.sub(r"[^\w]+", "-", request.node.name).strip("-")
            Path(folder).mkdir(parents=True, exist_ok=True)
            (Path(folder) / f"{name}.png").write_bytes(content)
        return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))

    return take


@pytest.fixture(scope="session")
def find_barriers():
    """Lists what axe-core finds serious or critical in a page of Chromium."""
    from axe_playwright_python.sync_playwright import Axe

    def find(page):
        found = Axe().run(page).response["violations"]
        grave = [one for one in found if one["impact"] in ("serious", "critical")]
        return [f"{one['id']}: {node['html'][:200]}" for one in grave for node in one["nodes"]]

    return find


@pytest.fixture(scope="session")
def walk_with_tab():
    """Presses Tab until the focus leaves a page; returns what had it, see `_FOCUSED`."""

    def walk(page, most=200):
        stops = []
        for _ in range(most):
            page.keyboard.press("Tab")
            stop = page.evaluate(_FOCUSED)
            if stop["isPage"]:
                return stops
            stops.append(stop)
        raise AssertionError(f"The focus does not leave the page: {stops[-1]}.")

    return walk
