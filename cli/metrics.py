"""`keras-devae metrics`."""

import click

from keras_devae.cli.formatting import print_list, print_text
from keras_devae.cli.options import json_option, print_json


@click.command()
@json_option
def metrics(as_json: bool) -> None:
    """List the metrics, what each needs, and whose definition it follows."""
    from keras_devae.metrics import METRICS

    rows = {
        name: {
            "description": metric.description,
            "needs_factors": metric.needs_factors,
            "needs_posterior": metric.needs_posterior,
            "continuous": metric.continuous if metric.needs_factors else None,
            "fast": dict(metric.fast),
        }
        for name, metric in METRICS.items()
    }
    if as_json:
        print_json(rows)
        return
    listed = []
    for name, row in rows.items():
        notes = [] if row["needs_factors"] else ["no factors needed"]
        notes += ["needs log-variances"] if row["needs_posterior"] else []
        notes += ["continuous factors without bins"] if row["continuous"] == "native" else []
        noted = f" ({', '.join(notes)})" if notes else ""
        listed.append((name, f"{row['description']}{noted}"))
    print_list(listed)
    print_text(
        "The other metrics put continuous factors into bins; with --estimator knn, mig does not. "
        "UDR, which compares several models, is `keras-devae compare --select udr`."
    )
