"""Runs that were never made: a configuration, scores, and a folder."""

import json

import numpy as np
import pytest

from keras_devae.reproduction.results import Result
from keras_devae.runs.config.run_config import RunConfig
from keras_devae.runs.environment import environment_text
from keras_devae.runs.folder import RunDirectory


@pytest.fixture
def made_up(tmp_path):
    """Makes a `Result` from scores of its layers, and from what it tracked of information."""

    def make(group, layers, seed=0, model="devae", dataset="dsprites", tracked=None):
        directory = RunDirectory(tmp_path / f"{group}-{dataset}-{seed}".replace(" ", "_"))
        directory.path.mkdir()
        environment = {"packages": {"keras": "3.15.1"}}
        directory.config_file.write_text(json.dumps({"environment": environment}))
        if tracked is not None:
            directory.tracking.mkdir()
            names = ["shape", "scale"]
            np.savez(directory.tracking / "information.npz", factor_names=names, **tracked)
        return Result(
            group=group,
            directory=directory,
            config=RunConfig(
                model=model, dataset=dataset, source="rendered", seed=seed, image_size=32
            ),
            layers=[{"layer": i, **scores} for i, scores in enumerate(layers)],
            seconds=10.0,
            source="drawn by the built-in renderer",
            environment=environment_text(environment),
            day=f"2026-11-{10 + seed}",
        )

    return make
