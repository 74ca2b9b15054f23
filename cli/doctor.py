"""`keras-devae doctor`."""

import dataclasses
import os
import platform
import shutil

import click

from keras_devae.cli.formatting import print_fact
from keras_devae.cli.options import PATH, choose_backend, json_option, print_json
from keras_devae.errors import UsageError
from keras_devae.version import __version__


@click.command()
@click.argument("run", type=PATH, required=False)
@click.option("--repair", is_flag=True, help="Fix what can be fixed in RUN.")
@json_option
@click.pass_context
def doctor(context: click.Context, run: str | None, repair: bool, as_json: bool) -> None:
    """Show what is installed on this machine; with RUN, check the folder of a run.

    With RUN, the exit code is 0 if the run is intact, and 1 if there is a problem left.
    """
    if run is not None:
        _report(context, run, repair, as_json)
        return
    if repair:
        raise UsageError("--repair needs the run to fix: keras-devae doctor RUN --repair.")
    choose_backend(context)
    facts = _facts()
    if as_json:
        print_json(facts)
        return
    for name, value in facts.items():
        print_fact(name, value, 23)


def _report(context, run, repair, as_json):
    from keras_devae.runs.diagnosis import examine

    findings = examine(run, repair)
    if as_json:
        print_json([dataclasses.asdict(finding) for finding in findings])
    else:
        for finding in findings:
            click.echo(f"{finding.state:<9} {finding.what}: {finding.sentence}")
    context.exit(1 if any(finding.state == "problem" for finding in findings) else 0)


def _facts():
    from keras_devae.backend import BACKENDS, installed_backends
    from keras_devae.data import info, names
    from keras_devae.process.machine import installed_version, usable_cores
    from keras_devae.runs.environment import describe_environment, onednn_text

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
        "processor": environment["processor"],
        "instruction sets": ", ".join(environment["instruction_sets"]) or "unknown",
        "oneDNN": onednn_text(environment) or "not used",
        "cores": usable_cores(),
        "threads": environment["threads"],
        "memory allocator": environment["allocator"],
        "free disk here": f"{shutil.disk_usage('.').free / 2**30:.0f} GiB",
        "folder is writable": os.access(".", os.W_OK),
        **sets,
        "export to SavedModel": _available("tensorflow"),
        "export to ONNX": _available("tensorflow", "tf2onnx", "onnx"),
    }


def _state(facts):
    if facts["prepared"]:
        return "official file, prepared"
    return "drawn by this package" if facts["drawn"] else "not prepared"


def _available(*packages):
    from keras_devae.process.machine import installed_version

    missing = [name for name in packages if installed_version(name) is None]
    return "yes" if not missing else f"no: pip install {' '.join(missing)}"
