"""What all experiments have in common: a setting, an outcome, and the files that show it."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import jinja2

from keras_devae import figures
from keras_devae.checks import AnyPath, usable_path
from keras_devae.comparison.table_files import markdown
from keras_devae.files import write_table, write_text
from keras_devae.reproduction.catalogue import experiment_named
from keras_devae.reproduction.scales import Scale
from keras_devae.reproduction.tables import Outcome
from keras_devae.studies.study import Study

#: Called with the number of trials done and the total.
Progress: TypeAlias = Callable[[int, int], None]


@dataclasses.dataclass(frozen=True)
class Provenance:
    """How much was executed, how long it took, when, on which images and on which machines."""

    carried_out: str
    seconds: float
    sources: list[str]
    environments: list[str]
    days: str


class Reproduction(abc.ABC):
    """An experiment with runs or trials in `folder`; `study` is `None` if it trains no models."""

    study: Study | None = None

    def __init__(self, name: str, scale: Scale, runs_dir: AnyPath, folder: str) -> None:
        self.name, self.scale = name, scale
        self.experiment = experiment_named(name)
        self.folder = usable_path("The folder of the runs", runs_dir) / "reproduce" / folder

    @property
    @abc.abstractmethod
    def setting(self) -> str:
        """How the numbers were obtained, in a sentence or two."""

    @abc.abstractmethod
    def outcome(
        self, progress: Progress | None = None, only_done: bool = False
    ) -> tuple[Outcome, Provenance]:
        """Makes table and figure; first does missing trials, unless `only_done`."""

    def write(
        self, outcome: Outcome, provenance: Provenance, output: AnyPath, command: str
    ) -> list[Path]:
        """Writes CSV, Markdown with the `command` that made it, PNG and SVG; returns the files.

        Further tables are CSV and further pictures PNG, with their name behind the experiment's.
        """
        files = {kind: Path(output) / f"{self.name}.{kind}" for kind in ("csv", "md", "png", "svg")}
        write_table(files["csv"], outcome.tidy)
        write_text(files["md"], self._page(outcome, provenance, command))
        data = f"Data: {'; '.join(provenance.sources)}." if provenance.sources else ""
        note = [f"{self.name}.", self.setting, data]
        written = [*files.values()]
        for table in outcome.tables:
            written.append(Path(output) / f"{self.name}-{table.name}.csv")
            write_table(written[-1], table.tidy)
        drawn = [(outcome.figure, [outcome.caption], [files["png"], files["svg"]])]
        for name, figure in outcome.pictures.items():
            written.append(Path(output) / f"{self.name}-{name}.png")
            drawn.append((figure, [], written[-1:]))
        for figure, caption, places in drawn:
            figures.note_below(figure, " ".join(part for part in [*note, *caption] if part))
            for place in places:
                figures.save(figure, place)
        return written

    def _page(self, outcome, provenance, command):
        environment = jinja2.Environment(
            loader=jinja2.PackageLoader("keras_devae.reproduction"),
            trim_blocks=True,
            keep_trailing_newline=True,
        )
        return environment.get_template("experiment.md").render(
            name=self.name,
            experiment=self.experiment,
            setting=self.setting,
            outcome=outcome,
            markdown=markdown,
            command=command,
            provenance=provenance,
        )
