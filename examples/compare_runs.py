"""Writes a Markdown table of the scores of finished runs, a row for each latent layer.

Runs that differ only in their seeds share a row, with the mean and the standard deviation over
seeds. Scores that no run has are left out. `keras-devae compare` shows more about one layer.

python examples/compare_runs.py runs table.md
"""

import argparse
import json
import statistics
from pathlib import Path

from keras_devae.comparison.table_files import markdown
from keras_devae.runs import find_runs

COLUMNS = {
    "MIG": ("mig.score", ".3f"),
    "DCI": ("dci.disentanglement", ".3f"),
    "reconstruction (nats)": ("reconstruction_error.negative_log_likelihood", ".1f"),
    "squared error": ("reconstruction_error.squared_error", ".1f"),
    "KL (nats)": ("kl.total", ".1f"),
    "active latents": ("active_variables.count", ".1f"),
}


def scored_layers(folder):
    """Yields a model's name, its options and the scores of a layer, for every finished run."""
    for run in find_runs(folder):
        scores = run.read_metrics()
        model = run.read_config().model
        for layer in scores["layers"] if scores else []:
            label = model.name
            if len(scores["layers"]) > 1:
                label += f", layer {layer['layer']}"
            yield label, model.options, layer


def rows(folder):
    """Yields the cells of a row for every latent layer of the runs that differ only in seeds."""
    groups = {}
    for label, options, layer in scored_layers(folder):
        of_label = groups.setdefault(label, {})
        of_label.setdefault(json.dumps(options, sort_keys=True), []).append(layer)
    for label, of_label in groups.items():
        for options, layers in of_label.items():
            yield [label + what_differs(options, of_label), str(len(layers)), *cells(layers)]


def what_differs(options, others):
    """Names the options in which these runs differ from others of the same model."""
    options, others = json.loads(options), [json.loads(other) for other in others]
    parts = [f"{n} {v}" for n, v in options.items() if any(o[n] != v for o in others)]
    return f" ({', '.join(parts)})" if parts else ""


def cells(layers):
    """Yields the mean, and of several seeds the standard deviation, of each column's score."""
    for key, digits in COLUMNS.values():
        values = [layer[key] for layer in layers if layer.get(key) is not None]
        if not values:
            yield "-"
            continue
        spread = f" ± {statistics.stdev(values):{digits}}" if len(values) > 1 else ""
        yield f"{statistics.fmean(values):{digits}}{spread}"


def main(folder="runs", table="table.md"):
    """Writes the table and returns its number of rows."""
    body = sorted(rows(folder))
    columns = zip(["model", "seeds", *COLUMNS], *body, strict=True)
    header, *body = zip(*(c for c in columns if set(c[1:]) != {"-"}), strict=True)
    text = markdown(header, body)
    Path(table).write_text(text, encoding="utf-8")
    print(text, end="")
    return len(body)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name, default, what in (
        ("folder", "runs", "folder of the runs"),
        ("table", "table.md", "file to write"),
    ):
        parser.add_argument(
            name, nargs="?", default=default, help=f"{what}  [default: %(default)s]"
        )
    main(**vars(parser.parse_args()))
