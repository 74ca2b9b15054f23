"""The `Run` class: from a configuration to a trained model, its scores and its report.

Keras is imported only after every check that does not need it.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from keras_devae.backend import replicas, start_backend
from keras_devae.backend.choosing import chosen_backend, preferred_backend, select_backend
from keras_devae.data import Dataset
from keras_devae.errors import UsageError
from keras_devae.runs import distribution
from keras_devae.runs.config.run_config import RunConfig, check_before_loading, load_dataset
from keras_devae.runs.creation import check_own_network, created
from keras_devae.runs.extension import extend, extended_config
from keras_devae.runs.folder import RunDirectory
from keras_devae.runs.initial_weights import check_surroundings
from keras_devae.runs.layout import unused_path
from keras_devae.runs.live_curves import close_services
from keras_devae.runs.preset import open_directory
from keras_devae.runs.scoring import Scoring
from keras_devae.runs.validation import checked_images, recorded_images

if TYPE_CHECKING:
    from keras_devae.models import VAE
    from keras_devae.models.fitting import Parts

logger = logging.getLogger(__name__)

_PathLike = str | os.PathLike[str]
_Progress = Callable[..., Any] | None


class Run(Scoring):
    """A training run: its folder, the claim on it, its configuration, data set and model.

    Make one with `Run.new`, `Run.resume` or `Run.open`. The first two claim the folder, so that no
    other process trains the run; the claim ends with the `with` block.

    If several processes train the run together, each has its own `Run`, and they wait for each
    other at the end of the `with` block. Only the chief writes the folder, evaluates and reports.

    Attributes:
        folder: The `RunDirectory`.
        config: The complete `RunConfig`.
        is_chief: Whether this process writes the run's files; always true for a single process.

    Example:
        >>> config = kd.runs.RunConfig(
        ...     model="beta_vae", dataset="dsprites", source="rendered", image_size=32,
        ...     network="mlp", network_units=(8,), variants=("subset:200",), steps=4,
        ...     checkpoint_every=2, batch_size=8, metrics=("kl",), evaluation_images=50,
        ... )
        >>> with kd.runs.Run.new(config, "runs/first") as run:
        ...     model = run.train(progress=False)
        ...     scores = run.evaluate()
        ...     files = run.report()
        >>> run.folder.report_file.is_file()
        True
    """

    def __init__(
        self,
        folder: RunDirectory,
        config: RunConfig,
        dataset: Dataset | None = None,
        model: VAE | None = None,
        *,
        is_chief: bool = True,
        is_claimed: bool = False,
        held_out: Dataset | None = None,
    ):
        self.folder, self.config = folder, config
        self.is_chief = is_chief
        self._is_claimed = is_claimed
        self._dataset, self._held_out = dataset, held_out
        self._model, self._is_new = model, model is not None
        self._scores: Mapping[str, Any] | None = None

    @classmethod
    def new(
        cls,
        config: RunConfig,
        path: _PathLike,
        *,
        backend: str | None = None,
        overwrite: bool = False,
        numbered: bool = False,
        adapt: Callable[[RunConfig, Dataset], RunConfig] | None = None,
        progress: _Progress = None,
    ) -> Self:
        """Starts a new run: checks it, loads its data set, builds its model and claims its folder.

        Args:
            config: The configuration.
            path: The folder of the run.
            backend: Keras backend; default the one in `config`, else `select_backend`'s default.
            overwrite: Whether an existing run is replaced; default false.
            numbered: Whether a number is appended to `path` if it is taken; default false.
            adapt: Called with the configuration and its data set; returns the configuration to
                use. Default: the given one.
            progress: Called as `progress(done, total, what)` while images load.

        Returns:
            The `Run`, for a `with` statement.

        Raises:
            UsageError: If the backend is not installed; the folder is taken or cannot be written;
                or the settings, the images, the model and the devices do not fit together.
            FailureError: If a file is damaged, or the memory is too small for the model.
        """
        folder, compute = unused_path(path) if numbered else Path(path), config.compute
        backend = backend or compute.backend
        select_backend(backend)
        check_surroundings(config)
        is_chief = distribution.is_chief(config)
        if is_chief:
            RunDirectory(folder).check_free(overwrite)
        if compute.distribute is not None:
            start_backend(backend, deterministic=compute.deterministic)
            distribution.check_distribution(config)
        check_before_loading(config)
        check_own_network(config, backend)
        dataset = load_dataset(config, progress=progress)
        config = (config if adapt is None else adapt(config, dataset)).resolved(dataset)
        start_backend(backend, deterministic=compute.deterministic)

        from keras_devae.runs.compute import completed_config
        from keras_devae.runs.training import build_model

        config = completed_config(config, dataset)
        held_out = checked_images(config, dataset, progress)
        model = build_model(config, dataset)
        folder = folder if is_chief else distribution.folder_of_worker(folder)
        directory = created(folder, overwrite, path if numbered and is_chief else None)
        parts = directory, config, dataset, model
        return cls(*parts, is_chief=is_chief, is_claimed=True, held_out=held_out)

    @classmethod
    def resume(
        cls,
        path: _PathLike,
        *,
        backend: str | None = None,
        progress: _Progress = None,
        steps: int | None = None,
        epochs: int | None = None,
    ) -> Self:
        """Resumes an interrupted run: claims its folder and loads its data set.

        A backend other than the run's own is recorded, and a warning is logged.

        Args:
            path: The folder of the run.
            backend: Keras backend; default `KERAS_BACKEND`, else the run's own if installed.
            progress: As for `new`.
            steps: Steps in total, to train for longer, also a finished run; default the run's own.
                The guide to training says what happens to schedules.
            epochs: In place of `steps`, passes through the data set in total.

        Returns:
            The `Run`, for a `with` statement.

        Raises:
            UsageError: If there is no run, it cannot have so many steps, or its backend or its data
                set is missing.
            ClaimedError: If another process is training the run.
            FailureError: If the folder is damaged, or the images differ from the run's.
        """
        folder = RunDirectory.open(path)
        config = extended_config(folder, folder.read_config(), steps, epochs)
        folder.check_places()
        recorded = config.compute.backend
        select_backend(preferred_backend(backend, recorded))
        is_chief = distribution.is_chief(config)
        if is_chief:
            folder.claim()
        try:
            dataset = folder.load_dataset(progress=progress)
            held_out = recorded_images(folder, config, dataset, progress)
            start_backend(backend, recorded, config.compute.deterministic)
            distribution.check_distribution(config)
            folder = folder if is_chief else distribution.copy_of_worker(folder)
            config = extend(folder, config, steps, epochs, dataset)
        except BaseException:
            folder.release()
            raise
        active = chosen_backend()
        if recorded not in (None, active):
            logger.warning(
                "The run started on %s and resumes on %s: its numbers will differ slightly. To "
                "stay on %s, put --backend %s before the command, or unset KERAS_BACKEND.",
                *(recorded, active, recorded, recorded),
            )
            folder.record_backend(active)
            config = config.replace(backend=active)
        claimed = {"is_chief": is_chief, "is_claimed": True}
        return cls(folder, config, dataset, held_out=held_out, **claimed)

    @classmethod
    def open(cls, path: _PathLike) -> Self:
        """Opens a run to score it, draw figures or use its model, without claiming its folder.

        `path` is its folder; or a preset in its place: the name, the folder, or `"hf://owner/name"`
        of one that was made from a run. Data set and model are loaded on first use.

        Raises:
            UsageError: If there is no run.
            FailureError: If its configuration is damaged.
        """
        folder = open_directory(path)
        return cls(folder, folder.read_config())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        try:
            if kind is None:
                replicas.wait_for_all_processes(self.config.compute.distribute)
        finally:
            self.folder.release()
            close_services(self.folder, kind)

    @property
    def dataset(self) -> Dataset:
        """The data set that the run trains on."""
        if self._dataset is None:
            self._dataset = self.folder.load_dataset()
        return self._dataset

    @property
    def model(self) -> VAE:
        """The model built or trained by this object, else the one in the folder."""
        if self._model is None:
            from keras_devae.runs.trained_model import load_trained

            self._model = load_trained(self.folder)
        return self._model

    @property
    def scores(self) -> Mapping[str, Any] | None:
        """The scores from `evaluate`, else those in the folder, or `None` if there are none."""
        return self.folder.read_metrics() if self._scores is None else self._scores

    def load(self) -> None:
        """Loads the model and the data set now instead of on first use."""
        _ = self.model, self.dataset

    def train(self, progress: bool | Sequence[str] = True) -> VAE:
        """Trains the run to its end, from the newest checkpoint if any, and returns the model.

        Args:
            progress: Whether to show progress; default true. Names of values in the history, or
                `["all"]`, are shown beside the usual three.

        Raises:
            UsageError: If the run comes from `Run.open`.
            FailureError: If no checkpoint can be read, a loss becomes NaN or infinite, or memory or
                disk space runs out.
        """
        from keras_devae.models.fitting import carried_out

        return carried_out(self.train_in_parts(progress))

    def train_in_parts(self, progress: bool | Sequence[str] = True) -> Parts[VAE]:
        """Trains like `train`, but yields each part, a `Fit`, to the caller, who carries it out.

        Arguments and errors are as for `train`; the generator returns the model.
        """
        if not self._is_claimed:
            raise UsageError(f"{self.folder.path} is open for reading. Train it with Run.resume.")
        from keras_devae.runs import training

        with self._failures_explained():
            session = (self.config, self.folder, self.dataset, progress, self.held_out)
            if self._is_new:
                self._is_new = False
                self._model = yield from training.train_in_parts(self.model, *session)
            else:
                self._model = yield from training.resume_in_parts(*session)
        return self.model

    def evaluate(
        self, progress: _Progress = None, encoding_progress: _Progress = None
    ) -> dict[str, Any]:
        """Scores the trained model with the settings of the run, and writes `metrics.json`.

        Args:
            progress: Called with the layer's number and the name of each metric.
            encoding_progress: Called with the numbers of images encoded so far and in total.

        Returns:
            The result of `keras_devae.evaluation.evaluate`; empty in a worker.

        Raises:
            UsageError: If the run has neither a model nor a checkpoint yet.
            FailureError: If memory or disk space runs out.
        """
        if not self.is_chief:
            return {}
        self.folder.check_takes_files("`score` returns its scores.")
        with self._failures_explained():
            shown = {"progress": progress, "encoding_progress": encoding_progress}
            self._scores = scores = self._score_and_write(**shown)
        return scores

    def report(self, output: _PathLike | None = None) -> dict[str, Path]:
        """Writes the run's report page and its figures.

        Args:
            output: File to write; default `report.html` in the run's folder.

        Returns:
            The files of the figures by name; empty in a worker.

        Raises:
            UsageError: If the run has neither a model nor a checkpoint yet.
            FailureError: If memory or disk space runs out.
        """
        if not self.is_chief:
            return {}
        self.folder.check_takes_files("Its card describes it: keras-devae presets NAME.")
        # The only import from a higher level, as reports build on runs.
        from keras_devae.reports import write_report

        with self._failures_explained():
            page = (self.model, self.config, self.dataset, self.scores)
            return write_report(self.folder, *page, output)

    def _failures_explained(self):
        """Says how to resume if memory or disk space runs out, unless the run is only read."""
        if not self._is_claimed:
            return contextlib.nullcontext()
        from keras_devae.runs.training import failures_explained

        return failures_explained(self.folder, lambda: "The run stopped")
