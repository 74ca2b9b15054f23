"""`keras-devae metrics`."""

import click

from keras_devae.cli.options import json_option, print_json


@click.command()
@json_option
def metrics(as_json: bool) -> None:
    """List the metrics, what each is computed from, and its definition."""
    from keras_devae.metrics import METRICS

    rows = {
        name: {
            "description": metric.description,
            "needs_factors": metric.needs_factors,
            "continuous": metric.continuous if metric.needs_factors else None,
            "fast": dict(metric.fast),
        }
        for name, metric in METRICS.items()
    }
    if as_json:
        print_json(rows)
        return
    width = max(map(len, rows))
    for name, row in rows.items():
        needs = "" if row["needs_factors"] else "  (no factors needed)"
        if row["continuous"] == "native":
            needs = "  (continuous factors without bins)"
        click.echo(f"{name:<{width}}  {row['description']}{needs}")
    click.echo(
        "\nThe other metrics put continuous factors into bins; mig does not with --estimator knn."
    )
    click.echo("udr, which compares several models, is keras_devae.metrics.udr.")
