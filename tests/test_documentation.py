"""What README, pages, docstrings and examples show works as it stands."""

import doctest
import importlib
import importlib.util
import runpy
from pathlib import Path

import click
import numpy as np
import pytest
from documentation import (
    PAGES,
    ROOT,
    blocks,
    headings,
    links,
    parsed,
    quoted_commands,
    typed_commands,
)
from typed_pages import TypedPage, prepare_to_type

import keras_devae as kd
from keras_devae.metrics import METRICS
from keras_devae.models.catalogue import MODEL_CATALOGUE

EXAMPLES = ROOT / "examples"
GUIDES = [page for page in PAGES if page.startswith("examples/guides/")]
#: Guide -> modules that its commands need, which `.ci/run` installs.
NEEDED = {"using_the_encoder": ("tf2onnx", "onnxruntime", "ai_edge_quantizer")}
#: Modules of the package with examples in their docstrings.
WITH_EXAMPLES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in (ROOT / "keras_devae").rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)


@pytest.fixture
def short_training(monkeypatch):
    """Lets `fit` on batches of a data set take two steps of eight images, whatever is asked."""
    batches = kd.data.Dataset.batches

    def few(dataset, batch_size, **options):
        return batches(dataset, min(batch_size, 8), **options | {"steps": 2})

    monkeypatch.setattr(kd.data.Dataset, "batches", few)


@pytest.fixture
def stand_ins(monkeypatch, tmp_path):
    """Lets official data sets come from small files in the published format."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.setenv("KERAS_DEVAE_DATA", str(tmp_path / "prepared"))
    stand_in = runpy.run_path(str(EXAMPLES / "contact_sheet.py"))["stand_in"]
    load = kd.data.load

    def loaded(name, source="auto", variants=(), **options):
        if source != "official":
            return load(name, source=source, variants=variants, **options)
        folder = tmp_path / "published" / name
        folder.mkdir(parents=True)
        data = stand_in(name, folder)
        return load(name, path=folder, variants=variants) if variants else data

    monkeypatch.setattr(kd.data, "load", loaded)


@pytest.fixture
def typed(tmp_path, monkeypatch, short_training):
    """A function that types a page into an empty folder and returns the `TypedPage`."""
    prepare_to_type(monkeypatch, tmp_path)
    pages = []

    def typing(page):
        pages.append(TypedPage(page, tmp_path))
        pages[0].type_all()
        return pages[0]

    yield typing
    for page in pages:
        page.close()


needs_tensorflow = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None, reason="exports"
)


@needs_tensorflow
@pytest.mark.filterwarnings("ignore")  # Few images, few steps; the command line prints warnings.
def test_the_readme_works_as_typed(typed):
    readme = typed("README.md")
    images = readme.names["images"]
    # What the exported encoder computes without this package is what the model computes.
    np.testing.assert_allclose(
        readme.names["codes"], readme.names["model"].encode(images), atol=1e-4
    )
    # What is served is what was exported, from a run on 32x32 pixels.
    remote = runpy.run_path(str(EXAMPLES / "serve_encoder.py"))["RemoteEncoder"]
    served = remote(readme.address).transform(images[:4, ::2, ::2])
    assert served.shape == (4, 10) and np.isfinite(served).all()
    assert Path("runs/first/report.html").is_file()


@needs_tensorflow
@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("page", GUIDES)
def test_guides_work_as_typed(page, typed):
    for module in NEEDED.get(Path(page).stem, ()):
        pytest.importorskip(module)
    typed(page)


@pytest.mark.thorough
def test_the_page_on_data_sets_works_as_typed(tmp_path, monkeypatch, short_training, stand_ins):
    monkeypatch.chdir(tmp_path)
    session = TypedPage("examples/datasets.md", tmp_path)
    for number, code in enumerate(blocks("examples/datasets.md", "python"), start=1):
        session.python(code, f"block {number}")


def test_the_readme_is_short_and_its_counts_hold():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 200
    assert f"all {len(MODEL_CATALOGUE)} models" in " ".join(text.split())
    assert f"| latest version | {kd.__version__} " in text
    # `udr` compares models and is not in the list of those that score one.
    assert f"{len(METRICS) + 1} metrics" in text


def test_ci_runs_the_test_command_of_the_readme():
    (line,) = [
        line for code in blocks("README.md", "sh") for line in code.splitlines() if "pytest" in line
    ]
    options = line.partition("pytest ")[2]
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert f"two=({options})" in ci and 'pytest" "${two[@]}"\n' in ci


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    """To files, and to headings in them."""
    for target in links(page):
        path, _, heading = target.partition("#")
        file = (ROOT / page).parent / path if path else ROOT / page
        assert file.exists(), target
        if heading:
            assert heading in headings(file), target


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_docstrings_run_as_they_stand(module, tmp_path, monkeypatch):
    import keras

    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(module)
    names = vars(module) | {"kd": kd, "keras": keras, "np": np}
    examples = [case for case in doctest.DocTestFinder().find(module, globs=names) if case.examples]
    assert examples
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    for example in examples:
        report = []
        doctest.DocTestRunner(optionflags=flags).run(example, out=report.append)
        assert not report, "".join(report)


@pytest.mark.parametrize("page", PAGES)
def test_commands_on_pages_can_be_read(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words in typed_commands(page) + quoted_commands(page):
        try:
            parsed(words)
        except click.MissingParameter:  # The text names the command, without its arguments.
            assert words in quoted_commands(page), words
        except click.UsageError as error:
            pytest.fail(f"keras-devae {' '.join(words)}: {error.format_message()}")


def test_every_example_is_tried():
    tried = (Path(__file__).parent / "examples" / "test_examples.py").read_text(encoding="utf-8")
    assert [path.name for path in EXAMPLES.glob("*.py") if path.name not in tried] == []
