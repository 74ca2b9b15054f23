"""Put the scores of finished runs side by side, layer by layer, as a Markdown table.

`keras-devae compare` shows the mean and the spread over seeds of one layer.

python examples/compare_runs.py runs table.md
"""

import sys
from pathlib import Path

from keras_devae.comparison.table_files import markdown
from keras_devae.runs import find_runs

COLUMNS = {
    "MIG": ("mig.score", ".3f"),
    "reconstruction (nats)": ("reconstruction_error.negative_log_likelihood", ".1f"),
    "squared error": ("reconstruction_error.squared_error", ".1f"),
    "KL (nats)": ("kl.total", ".1f"),
    "active latents": ("active_variables.count", ".0f"),
}


def rows(folder):
    """Yields the cells of a row for every latent layer of every finished run in a folder."""
    for run in find_runs(folder):
        scores = run.read_metrics()
        for layer in scores["layers"] if scores else []:
            name = run.read_config().model.name
            label = f"{name}, layer {layer['layer']}" if len(scores["layers"]) > 1 else name
            cells = (f"{layer[key]:{digits}}" for key, digits in COLUMNS.values())
            yield [label, *cells]


def main(folder="runs", table="table.md"):
    """Writes the table and returns its number of rows."""
    body = sorted(rows(folder))
    text = markdown(["model", *COLUMNS], body)
    Path(table).write_text(text, encoding="utf-8")
    print(text, end="")
    return len(body)


if __name__ == "__main__":
    main(*sys.argv[1:])
