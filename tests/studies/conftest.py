"""What the tests of studies share."""

import contextlib
from pathlib import Path

import pytest

from keras_devae.studies import Study

#: Settings of runs that take as little time as runs can.
TINY = {
    "dataset": "npz:images.npz",
    "model": "vae",
    "network": "mlp",
    "latent_dim": 2,
    "steps": 4,
    "checkpoint_every": 2,
    "batch_size": 16,
    "evaluation_images": 32,
    "metrics": ["kl"],
}


def toml(value):
    """Writes a value as TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {toml(part)}" for name, part in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml(part) for part in value) + "]"
    return f'"{value}"' if isinstance(value, str) else repr(value)


@pytest.fixture
def study_file(workplace):
    """Writes `study.toml` from a sweep, and settings besides `TINY`."""

    def write(sweep, name="tiny", **settings):
        path = workplace / "study.toml"
        content = {"name": name, "settings": {**TINY, **settings}, "sweep": sweep}
        lines = [f"{part} = {toml(value)}\n" for part, value in content.items()]
        path.write_text("".join(lines), encoding="utf-8")
        return path

    return write


@pytest.fixture
def make_study(study_file):
    """Makes the `Study` of such a file, on disk but not run."""

    def make(sweep, **settings):
        study = Study.from_file(study_file(sweep, **settings))
        study.write()
        return study

    return make


@pytest.fixture
def finish_run():
    """Leaves in the folder of a run what training and measuring leave, without either."""

    def finish(study, run, layers=({"layer": 0, "kl.total": 1.5, "active_variables.count": 2},)):
        directory = run.directory
        environment = {"keras_devae": "0.1.0", "python": "3.12.0", "device": "cpu"}
        environment["packages"] = {"keras": "3.15.0"}
        directory.path.mkdir(exist_ok=True)
        directory.write_record(study.plan[run.name][1], {"source": "npz"}, environment)
        directory.write_metrics({"layers": list(layers)})
        directory.report_file.write_text("a report")

    return finish


@pytest.fixture
def workers_of():
    """Finds the processes that carry the runs of a study out, from /proc: name of run -> number."""

    def find(study):
        folder, found = study.folder.resolve(), {}
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_text().split("\0")
                if "keras_devae.studies.worker" not in words[:-2]:
                    continue
                # An empty word ends the command.
                *_, place, name, _ = words
                if (entry / "cwd").readlink() / place == folder:
                    found[name] = int(entry.name)
        return found

    return find
