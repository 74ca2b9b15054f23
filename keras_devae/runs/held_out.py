"""The part of a `Run` that scores its model on images held out from training."""

from __future__ import annotations

from typing import Any

from keras_devae.data import Dataset
from keras_devae.runs.config.run_config import RunConfig
from keras_devae.runs.folder import RunDirectory
from keras_devae.runs.live_curves import close_services, log_scores
from keras_devae.runs.records import check_same_images
from keras_devae.runs.stopping import watch_of
from keras_devae.runs.validation import check_held_out, check_tracked_on, held_out_images


def checked_images(config: RunConfig, dataset: Dataset, progress: Any = None) -> Dataset | None:
    """Returns the images that a new run holds out, or `None`, after what can be checked before.

    Raises:
        UsageError: If they cannot be used, or if nothing that is watched could be compared.
    """
    watch_of(config)
    held_out = held_out_images(config, dataset, progress)
    if held_out is not None:
        check_held_out(config, held_out)
        check_tracked_on(config, held_out)
    return held_out


def recorded_images(
    folder: RunDirectory, config: RunConfig, dataset: Dataset, progress: Any = None
) -> Dataset | None:
    """Returns the images that an earlier run holds out, or `None`.

    Raises:
        FailureError: If the validation data set has changed since the run began.
    """
    held_out = held_out_images(config, dataset, progress)
    if held_out is None or config.validation.split is not None:
        return held_out  # The record of the training images says all of a split.
    recorded = folder.read_record().get("validation_data")
    if recorded is not None:
        check_same_images(folder.path, "images held out", recorded, held_out.provenance)
    return held_out


class ScoresHeldOut:
    """The images that a run holds out, loaded when first needed, and the scores on them."""

    config: RunConfig
    dataset: Any
    score: Any
    folder: RunDirectory
    _is_claimed: bool
    _held_out: Dataset | None

    @property
    def held_out(self) -> Dataset | None:
        """The images that the run validates on, or `None`."""
        if self._held_out is None:
            self._held_out = recorded_images(self.folder, self.config, self.dataset)
        return self._held_out

    def score_held_out(
        self, config: RunConfig | None = None, **options: Any
    ) -> dict[str, dict[str, Any]]:
        """Scores the trained model on the images held out, with the metrics that they allow.

        Arguments as for `score`.

        Returns:
            `validation`, the result of `evaluate`; nothing if no images are held out.
        """
        if self.held_out is None:
            return {}
        config = check_held_out(config or self.config, self.held_out, chosen=False)
        return {"validation": self.score(self.held_out, config, **options)}

    def _score_and_write(self, **shown: Any) -> dict[str, Any]:
        """Scores the images of training and those held out, and writes and logs the scores.

        They note the step of the model if it is not the last one.
        """
        _ = self.held_out  # Missing or changed images are noticed before anything is computed.
        scores = {**self.score(**shown), **self.score_held_out(**shown)}
        ended = self.folder.read_record().get("ended")
        if ended is not None and self.folder.is_trained():
            scores["settings"]["model_step"] = ended["model_step"]
        # A run with scores and a report counts as finished: a report on an earlier model must not
        # remain beside new scores.
        self.folder.report_file.unlink(missing_ok=True)
        self.folder.write_metrics(scores)
        log_scores(self.config, self.folder, scores)
        if not self._is_claimed:
            close_services(self.folder)
        return scores
