"""`keras-devae data`."""

import click

from keras_devae.cli.options import json_option, print_json

_data_dir = click.option("--data-dir", metavar="FOLDER", help="Folder of the prepared data sets.")


@click.group()
def data():
    """List, describe and prepare data sets."""


@data.command("list")
@_data_dir
@json_option
def list_data(data_dir, as_json):
    """List the data sets and where their images come from here."""
    from keras_devae.data import info, names

    rows = [info(name, data_dir) for name in names()]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        source = f"official, {row['path']}" if row["prepared"] else "built-in renderer"
        shape = "x".join(map(str, row["image_shape"]))
        click.echo(f"{row['name']:<12} {row['images']:>9,} images of {shape:<10} {source}")
    click.echo("npz:PATH      images (and factors) of your own, as arrays")
    click.echo("folder:PATH   pictures of your own (with --image-size)")


@data.command("info")
@click.argument("name")
@_data_dir
@json_option
def show_info(name, data_dir, as_json):
    """Show what is known of the data set NAME."""
    from keras_devae.data import info

    facts = info(name, data_dir)
    if as_json:
        print_json(facts)
        return
    for key, value in facts.items():
        click.echo(f"{key:<18} {_readable(value)}")


def _readable(value):
    if isinstance(value, dict):
        return ", ".join(f"{k} ({v})" for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return "x".join(map(str, value))
    return f"{value:,}" if type(value) is int else value


@data.command("prepare")
@click.argument("name")
@click.option("--from", "from_file", metavar="FILE", help="Official file that is here already.")
@click.option("--url", help="Address to fetch it from, in place of the published one.")
@click.option("--force-download", is_flag=True, help="Fetch and convert it again.")
@_data_dir
def prepare_data(name, from_file, url, force_download, data_dir):
    """Fetch the official file of the data set NAME, verify it and convert it for fast reading."""
    from keras_devae.data import prepare

    with _Bar() as bar:
        path = prepare(name, from_file, data_dir, url, force_download, bar.update)
    click.echo(path)


class _Bar:
    """A progress bar that starts again for every stage."""

    def __enter__(self):
        from rich.console import Console
        from rich.progress import Progress

        self._progress = Progress(console=Console(stderr=True))
        self._tasks = {}
        self._progress.start()
        return self

    def update(self, done, total, what):
        """Shows how much of a stage is done."""
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what)
        self._progress.update(self._tasks[what], completed=done, total=total)

    def __exit__(self, *error):
        self._progress.stop()
