"""The reference builds without a warning, and leads nowhere that is not there."""

import html.parser
import json
import runpy
import subprocess
import sys
import urllib.parse
from pathlib import Path

import pytest
from documentation import ROOT

from keras_devae.cli.main import COMMANDS
from keras_devae.models.catalogue import MODEL_CATALOGUE

pytestmark = pytest.mark.site
SOURCES = ROOT / "examples" / "site"
NAMES = runpy.run_path(str(SOURCES / "names.py"))
#: Elements of which a page shows or runs what their attributes name.
SHOWN = {("img", "src"), ("script", "src"), ("iframe", "src"), ("link", "href"), ("source", "src")}


class Page(html.parser.HTMLParser):
    """The anchors of a page, what it links to, and what it loads."""

    def __init__(self, path):
        super().__init__()
        self.anchors, self.links, self.loaded = {""}, [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.anchors |= {given[name] for name in ("id", "name") if given.get(name)}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        for name in ("src", "href"):
            if (tag, name) in SHOWN and name in given and given.get("rel") != "canonical":
                self.loaded.append(given[name])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Builds the site as the command does, with warnings as errors."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    result = subprocess.run(
        [*command, "--config-file", str(SOURCES / "mkdocs.yml")], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr[-5000:]
    return folder


@pytest.fixture(scope="module")
def pages(site):
    return {path: Page(path) for path in site.rglob("*.html")}


def target_of(path, link):
    """Returns the file and the anchor that a link leads to, or `None` for one to elsewhere."""
    parts = urllib.parse.urlsplit(link)
    if parts.scheme or parts.netloc:
        return None
    place = urllib.parse.unquote(parts.path)
    file = (path.parent / place).resolve() if place else path
    return (file / "index.html" if file.is_dir() else file), urllib.parse.unquote(parts.fragment)


def is_there(file, anchor, pages):
    """Tells whether a file exists and, if it is a page, has the anchor."""
    return file.exists() and (file not in pages or anchor in pages[file].anchors)


def test_links_lead_somewhere(site, pages):
    dead = {
        f"{path.relative_to(site)}: {link}"
        for path, page in pages.items()
        if path.name != "404.html"  # Its links begin at the root of a server.
        for link in page.links + page.loaded
        if (target := target_of(path, link))
        if not target[0].exists()
        or (target[0] in pages and target[1] not in pages[target[0]].anchors)
    }
    assert len(pages) > 80
    assert dead == set()


def test_pages_load_nothing_from_elsewhere(pages):
    loaded = {place for page in pages.values() for place in page.loaded}
    assert [place for place in loaded if urllib.parse.urlsplit(place).netloc] == []


def test_every_public_name_model_and_command_has_its_place(site, pages):
    anchors = {anchor for page in pages.values() for anchor in page.anchors}
    public = {f"{m}.{name}" for m in NAMES["public_modules"]() for name in NAMES["names_of"](m)}
    assert public - anchors == set()
    for model, declared in MODEL_CATALOGUE.items():
        page = pages[site / "models" / f"{model}.html"]
        assert f"keras_devae.models.{declared.class_name}" in page.anchors
        assert any(f"{model}.png" in place for place in page.loaded)
    for command in COMMANDS:
        assert site / "commands" / f"{command}.html" in pages
    assert "train--betas" in pages[site / "commands" / "train.html"].anchors


def test_search_finds_what_the_site_holds(site):
    index = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
    titles = " ".join(entry["title"] for entry in index["docs"])
    assert "kd.losses.gaussian_kl" in titles and "keras-devae train" in titles


def test_dead_links_are_seen(tmp_path):
    path = Path(tmp_path, "page.html")
    path.write_text('<a href="other.html#x">x</a><p id="y"><script src="https://cdn.org/a.js">')
    page = Page(path)
    assert page.anchors == {"", "y"} and page.loaded == ["https://cdn.org/a.js"]
    assert target_of(path, page.links[0]) == (tmp_path / "other.html", "x")
