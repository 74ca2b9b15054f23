"""Executes notebooks at their full size and stores what they show.

python examples/notebooks/execute.py                 # all of this folder, one after the other
python examples/notebooks/execute.py quickstart      # one; several names are possible

They run in an empty folder of their own, and only cells and outputs are stored: no times, versions
or paths of this machine. It takes `pip install -e '.[notebooks]'`.
"""

import argparse
import re
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent
#: Tag of the cell whose values `execute` replaces, as for papermill.
PARAMETERS = "parameters"
#: Seconds that a cell may take.
_TIMEOUT = 1800
#: What TensorFlow's libraries print when they are imported, which no setting turns off.
_START_UP_NOTICE = re.compile(r"^(WARNING: All log messages|[IWE]\d{4} \d\d:).*\n?", re.M)
_KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def execute(file, parameters=None):
    """Returns a notebook, executed from top to bottom, without traces of this machine.

    Args:
        file: The notebook.
        parameters: Values by name in place of those in the cell tagged `parameters`.

    Raises:
        nbclient.exceptions.CellExecutionError: If a cell fails.
    """
    notebook = nbformat.read(file, as_version=4)
    for cell in notebook.cells:
        if parameters and PARAMETERS in cell.metadata.get("tags", ()):
            cell.source = "\n".join(f"{name} = {value!r}" for name, value in parameters.items())
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(
            notebook,
            timeout=_TIMEOUT,
            kernel_name=_KERNEL["name"],
            record_timing=False,
            coalesce_streams=True,
            resources={"metadata": {"path": folder}},
        ).execute()
    notebook.metadata = nbformat.from_dict({"kernelspec": _KERNEL})
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if not _is_notice(output)]
    return notebook


def _is_notice(output):
    """Takes start-up notices out of an output, and returns whether nothing else was in it."""
    if output.get("name") != "stderr":
        return False
    output.text = _START_UP_NOTICE.sub("", output.text)
    return not output.text.strip()


def main(names):
    """Executes the notebooks with these names, or all, and writes each back when it is done."""
    for name in names or sorted(file.stem for file in HERE.glob("*.ipynb")):
        file = HERE / f"{name}.ipynb"
        print(f"{name} ...", flush=True)
        nbformat.write(execute(file), file)
        print(f"{name}: {file.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="Notebooks.  [default: all]")
    main(parser.parse_args().names)
