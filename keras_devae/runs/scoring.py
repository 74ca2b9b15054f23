"""The part of a `Run` that scores its model, also on images held out from training."""

from __future__ import annotations

from typing import Any

from keras_devae.data import Dataset
from keras_devae.runs.config.run_config import RunConfig
from keras_devae.runs.folder import RunDirectory
from keras_devae.runs.live_curves import close_services, log_scores
from keras_devae.runs.validation import check_held_out, recorded_images


class Scoring:
    """Scores of a run's model: on its images, on images held out, and on others."""

    config: RunConfig
    dataset: Any
    model: Any
    folder: RunDirectory
    _is_claimed: bool
    _held_out: Dataset | None

    @property
    def held_out(self) -> Dataset | None:
        """The images that the run validates on, or `None`."""
        if self._held_out is None:
            self._held_out = recorded_images(self.folder, self.config, self.dataset)
        return self._held_out

    def score(
        self, dataset: Dataset | None = None, config: RunConfig | None = None, **options: Any
    ) -> dict[str, Any]:
        """Scores the trained model and writes only its codes, into the run's folder.

        Args:
            dataset: A data set in place of the run's own.
            config: Settings of the evaluation in place of the run's own.
            **options: `encoding_progress`, and arguments of `keras_devae.evaluation.evaluate`.

        Returns:
            The result of `evaluate`.

        Raises:
            UsageError: If the run has neither a model nor a checkpoint yet, or the images differ in
                shape from the run's.
        """
        from keras_devae.runs.trained_model import score_model

        dataset, config = dataset or self.dataset, config or self.config
        return score_model(self.model, self.folder, dataset, config, **options)

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
