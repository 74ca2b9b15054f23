"""Builds `keras-devae-core`: what `keras-devae` holds, without TensorFlow among its requirements.

    pip install './examples/without_tensorflow[jax]'

Everything but the name and this one requirement is read from the project's `pyproject.toml`.
"""

import os
import runpy
import tempfile
import tomllib
from pathlib import Path

from setuptools import setup

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT, TOOL = SETTINGS["project"], SETTINGS["tool"]["setuptools"]


def in_root(folder):
    """Returns the path of a folder of the project, relative to this one."""
    return os.path.relpath(ROOT / folder, HERE)


# What is built on the way is left nowhere: a later build would take removed modules from it.
with tempfile.TemporaryDirectory() as scratch:
    setup(
        name=f"{PROJECT['name']}-core",
        version=runpy.run_path(str(ROOT / "keras_devae" / "version.py"))["__version__"],
        description=f"{PROJECT['description']} Without TensorFlow.",
        long_description=(ROOT / PROJECT["readme"]).read_text(encoding="utf-8"),
        long_description_content_type="text/markdown",
        author=", ".join(author["name"] for author in PROJECT["authors"]),
        license_expression=PROJECT["license"],
        keywords=PROJECT["keywords"],
        classifiers=PROJECT["classifiers"],
        python_requires=PROJECT["requires-python"],
        install_requires=[
            requirement
            for requirement in PROJECT["dependencies"]
            if not requirement.startswith("tensorflow")
        ],
        extras_require=PROJECT["optional-dependencies"],
        entry_points={
            "console_scripts": [f"{name} = {what}" for name, what in PROJECT["scripts"].items()]
        },
        packages=TOOL["packages"],
        package_dir={
            "keras_devae": in_root("keras_devae"),
            **{package: in_root(folder) for package, folder in TOOL["package-dir"].items()},
        },
        package_data=TOOL["package-data"],
        include_package_data=TOOL["include-package-data"],
        options={"build": {"build_base": scratch}, "egg_info": {"egg_base": scratch}},
    )
