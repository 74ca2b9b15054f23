"""The part of a `Run` that scores its model on images held out from training."""

from __future__ import annotations

from typing import Any

from keras_devae.backend import replicas
from keras_devae.data import Dataset
from keras_devae.errors import UsageError
from keras_devae.runs.config.run_config import RunConfig
from keras_devae.runs.stopping import watch_of
from keras_devae.runs.validation import check_held_out, held_out_images


def checked_images(config: RunConfig, dataset: Dataset, progress: Any = None) -> Dataset | None:
    """Returns the images that a new run holds out, or `None`, after what can be checked before.

    Raises:
        UsageError: If they cannot be used, or if nothing that is watched could be compared.
    """
    watch_of(config)
    chosen = config.validation
    is_wanted = chosen.split is not None or chosen.dataset is not None
    if is_wanted and config.compute.distribute is not None and replicas.process()[1] > 1:
        raise UsageError(
            "Several processes cannot validate: leave out `validation_split` and "
            "`validation_dataset`, or train in one process."
        )
    held_out = held_out_images(config, dataset, progress)
    if held_out is not None:
        check_held_out(config, held_out)
    return held_out


class ScoresHeldOut:
    """The images that a run holds out, loaded when first needed, and the scores on them."""

    config: RunConfig
    dataset: Any
    score: Any
    folder: Any
    _held_out: Dataset | None

    @property
    def held_out(self) -> Dataset | None:
        """The images that the run validates on, or `None`."""
        if self._held_out is None:
            self._held_out = held_out_images(self.config, self.dataset)
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

    def _score_both(self, **shown: Any) -> dict[str, Any]:
        """Scores the images of training and those held out; notes a step that is not the last."""
        scores = {**self.score(**shown), **self.score_held_out(**shown)}
        ended = self.folder.read_record().get("ended")
        if ended is not None and self.folder.is_trained():
            scores["settings"]["model_step"] = ended["model_step"]
        return scores
