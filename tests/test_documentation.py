"""What README, pages, docstrings and examples show works as it stands."""

import doctest
import importlib
import importlib.util
import os
import runpy
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
from documentation import PAGES, ROOT, blocks, parsed, quoted_commands, typed_commands

import keras_devae as kd
from keras_devae.cli.main import main

EXAMPLES = ROOT / "examples"
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


def run_in_order(page, namespace, allowed=lambda code: True):
    """Runs the Python blocks of a page as one session."""
    for number, code in enumerate(blocks(page, "python"), start=1):
        if allowed(code):
            exec(compile(code, f"{page}, block {number}", "exec"), namespace)


@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="exports")
# After two steps the posterior has collapsed.
@pytest.mark.filterwarnings("ignore::keras_devae.metrics.MetricWarning")
@pytest.mark.filterwarnings("ignore:.*the posterior has collapsed:UserWarning")
def test_the_readme_runs_as_it_stands(tmp_path, monkeypatch, short_training):
    monkeypatch.chdir(tmp_path)
    namespace = {}
    run_in_order("README.md", namespace, allowed=lambda code: "saved_model" not in code)
    assert namespace["codes"].shape == (2000, 10)
    np.save("images.npy", namespace["images"])
    np.save("expected.npy", namespace["codes"])
    (loading,) = [code for code in blocks("README.md", "python") if "saved_model" in code]
    script = (
        f"import numpy as np\nimages = np.load('images.npy')\n{loading}\n"
        "np.testing.assert_allclose(codes, np.load('expected.npy'), atol=1e-4)\n"
        "import sys; assert 'keras_devae' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, env=os.environ)


@pytest.mark.thorough
@pytest.mark.parametrize("page", [page for page in PAGES[1:] if blocks(page, "python")])
def test_other_pages_run_as_they_stand(page, tmp_path, monkeypatch, short_training, stand_ins):
    monkeypatch.chdir(tmp_path)
    run_in_order(page, {})


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


#: Begin commands of the README that are read but not run here, with the reason.
NOT_RUN = {
    ("--backend",): "needs JAX and several devices",
    ("annealing-test",): "takes hours",
    ("bench",): "takes minutes",
    ("data", "prepare"): "downloads",
    ("explore",): "serves until Ctrl-C",
    ("reproduce", "figure2"): "takes hours",
    ("reproduce", "table2"): "takes hours",
    ("study", "run", "examples/every_model.toml"): "takes hours",
    ("train", "--dataset", "cars3d"): "downloads",
}


#: Behind every `train` of the README here; enough for latents that carry something.
QUICK = (
    "--betas 0.01,0.02,0.04 --steps 400 --image-size 32 --learning-rate 1e-3 "
    "--evaluation-images 2000"
)


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore")  # The command line prints them.
def test_commands_of_the_readme_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (study,) = blocks("README.md", "toml")
    Path("betas.toml").write_text(
        study.replace("[settings]", "[settings]\nsteps = 12\nimage_size = 32"), "utf-8"
    )
    random = np.random.default_rng(0)
    codes, factors = random.normal(size=(2000, 4)), random.integers(3, size=(2000, 2))
    np.savez("codes.npz", codes=codes, factors=factors)
    for words in typed_commands("README.md"):
        if any(tuple(words[: len(start)]) == start for start in NOT_RUN):
            continue
        if words[0] == "train" and "--resume" not in words:
            words = [*words, *QUICK.split()]
        with pytest.raises(SystemExit) as ending:
            main(words)
        assert ending.value.code == 0, (words, capsys.readouterr().err)


def test_every_example_is_tried():
    tried = (Path(__file__).parent / "examples" / "test_examples.py").read_text(encoding="utf-8")
    assert [path.name for path in EXAMPLES.glob("*.py") if path.name not in tried] == []
