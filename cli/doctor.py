"""`keras-devae doctor`."""

import os
import platform
import shutil

import click

from keras_devae.cli.options import choose_backend, json_option, print_json
from keras_devae.version import __version__


@click.command()
@json_option
@click.pass_context
def doctor(context, as_json):
    """Show what is installed and found on this machine, and what is missing."""
    choose_backend(context)
    facts = _facts()
    if as_json:
        print_json(facts)
        return
    for name, value in facts.items():
        click.echo(f"{name:<22} {value}")


def _facts():
    from keras_devae.backend import BACKENDS, installed_backends
    from keras_devae.data import info, names
    from keras_devae.experiments.environment import describe_environment, installed_version

    environment = describe_environment()
    versions = [f"{name} {installed_version(BACKENDS[name])}" for name in installed_backends()]
    sets = {f"data {name}": _state(info(name)) for name in names()}
    return {
        "keras_devae": __version__,
        "python": platform.python_version(),
        "keras": environment["packages"]["keras"],
        "backend": environment["backend"],
        "backends installed": ", ".join(versions),
        "device": environment["device"],
        "cores": os.cpu_count(),
        "free disk here": f"{shutil.disk_usage('.').free / 2**30:.0f} GiB",
        "folder is writable": os.access(".", os.W_OK),
        **sets,
        "export to SavedModel": _available("tensorflow"),
        "export to ONNX": _available("tensorflow", "tf2onnx", "onnx"),
    }


def _state(facts):
    if facts["prepared"]:
        return "official file prepared"
    return "built-in renderer" if facts["drawn"] else "not prepared"


def _available(*packages):
    from keras_devae.experiments.environment import installed_version

    missing = [name for name in packages if installed_version(name) is None]
    return "yes" if not missing else f"no: pip install {' '.join(missing)}"
