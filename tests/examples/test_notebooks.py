"""The notebooks run from top to bottom, and what is stored in them is whole and clean."""

import json
import re
import runpy
from pathlib import Path

import click
import pytest
from documentation import parsed, quoted_commands

pytest.importorskip("nbclient", reason="needs pip install -e '.[notebooks]'")

NOTEBOOKS = Path(__file__).parents[2] / "examples" / "notebooks"
#: Name -> values of the notebook's parameters with which it takes seconds.
SMALL = {
    "quickstart": {"epochs": 1},
    "comparing_models": {"seeds": [0, 1], "steps": 50},
    "own_images": {"pictures": 60, "epochs": 1},
    "downstream_few_labels": {"epochs": 1, "draws": 1},
    "new_objective": {"epochs": 1},
}
#: Most bytes of a notebook with its pictures.
LARGEST = 330_000
#: Whatever only the machine that executed a notebook has.
TRACES = re.compile(r"/(tmp|home|root|usr|Users|work|content)/|site-packages|\bfile:/")

execute = runpy.run_path(str(NOTEBOOKS / "execute.py"))["execute"]


def stored(name):
    return json.loads((NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8"))


def text_of(cell):
    return "".join(cell["source"])


def kinds_of_outputs(notebook):
    """Returns the types of what each cell shows, in order, but for warnings."""
    return [
        [
            sorted(output["data"]) if "data" in output else output["name"]
            for output in cell.get("outputs", ())
            if output.get("name") != "stderr"
        ]
        for cell in notebook["cells"]
    ]


def test_every_notebook_is_tried():
    assert {file.stem for file in NOTEBOOKS.glob("*.ipynb")} == set(SMALL)


@pytest.mark.thorough
@pytest.mark.parametrize("name", SMALL)
def test_a_notebook_runs_and_shows_what_is_stored(name):
    assert kinds_of_outputs(execute(NOTEBOOKS / f"{name}.ipynb", SMALL[name])) == kinds_of_outputs(
        stored(name)
    )


@pytest.mark.parametrize("name", SMALL)
def test_a_stored_notebook_is_whole_and_clean(name):
    assert (NOTEBOOKS / f"{name}.ipynb").stat().st_size <= LARGEST
    notebook = stored(name)
    assert set(notebook["metadata"]) == {"kernelspec"}
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert 10 <= len(notebook["cells"]) <= 20
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    (parameters,) = [cell for cell in cells if cell["metadata"].get("tags") == ["parameters"]]
    assert all(f"{parameter}" in text_of(parameters) for parameter in SMALL[name])
    assert not any(cell["metadata"] for cell in cells if cell is not parameters)
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert sum("image/png" in output.get("data", ()) for output in outputs) >= 2
    assert not any(output.get("name") == "stderr" for output in outputs)
    assert not TRACES.search(json.dumps([output.get("text", "") for output in outputs]))


def test_notebooks_install_the_package_alike():
    firsts = {
        next(text_of(cell) for cell in stored(name)["cells"] if cell["cell_type"] == "code")
        for name in SMALL
    }
    assert len(firsts) == 1 and "%pip install -q {source}" in firsts.pop()


@pytest.mark.parametrize("name", SMALL)
def test_links_lead_somewhere(name):
    cells = [cell for cell in stored(name)["cells"] if cell["cell_type"] == "markdown"]
    links = [link for cell in cells for link in re.findall(r"\]\(([^)]+)\)", text_of(cell))]
    assert links and "## What next" in text_of(cells[-1])
    for link in links:
        assert link.startswith("https://") or (NOTEBOOKS / link).is_file(), link


@pytest.mark.parametrize("name", SMALL)
def test_commands_in_the_text_can_be_read(name):
    for words in quoted_commands(f"examples/notebooks/{name}.ipynb"):
        try:
            parsed(words)
        except click.UsageError as error:
            pytest.fail(f"keras-devae {' '.join(words)}: {error.format_message()}")
