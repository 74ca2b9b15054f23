"""Keras's `compile`, `fit`, `evaluate` and `predict`, preceded by the package's checks."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_devae.backend import compiles_with_xla, steps_in_one_call, xla_calls_host
from keras_devae.backend.replicas import PromptTraining, check_parts, own_parts_of
from keras_devae.checks import at_least, flag
from keras_devae.errors import UsageError
from keras_devae.input.batches import Batches
from keras_devae.input.resident import kept_on_device
from keras_devae.models.images import as_source, check_images, check_validation_images
from keras_devae.models.keras_arguments import (
    IGNORED,
    callbacks_of,
    check_compile,
    check_counts,
    check_split,
    check_verbose,
    get_optimizer,
    refuse,
    refuses_unknown_arguments,
    validation_images,
)
from keras_devae.models.training_callbacks import StepSynchronization, TrainingGuard
from keras_devae.models.training_step import TrainingStep


class Training(PromptTraining, TrainingStep):
    """The part of `keras_devae.VAE` for training and evaluation: Keras's methods, with checks."""

    #: Whether training calls functions on the host, which XLA on TensorFlow does not support.
    calls_host = False
    train_function: Any

    @refuses_unknown_arguments
    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool | str = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Configures training, see `keras.Model.compile`.

        `"auto"`, the default of `jit_compile`, leaves XLA off on TensorFlow on a CPU, where it is
        slower. `loss`, `loss_weights`, `metrics` and `weighted_metrics` are refused: the model
        defines its own objective, and `fit` shows all of its terms.

        Raises:
            UsageError: If an argument would be ignored or is out of range, or if `jit_compile` is
                true for a model that calls the host and XLA does not support that.
        """
        check_compile(steps_per_execution, jit_compile, run_eagerly)
        can_use_xla = not self.calls_host or xla_calls_host()
        if jit_compile is True and not can_use_xla:
            raise UsageError(
                f"{type(self).__name__} calls functions on the host, which XLA cannot do on this "
                "backend. Leave `jit_compile` out. Received: jit_compile=True."
            )
        refuse(
            loss=loss, loss_weights=loss_weights, metrics=metrics, weighted_metrics=weighted_metrics
        )
        super().compile(
            optimizer=get_optimizer(optimizer),
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
            jit_compile=jit_compile,
            auto_scale_loss=auto_scale_loss,
        )
        self._requested_jit_compile = jit_compile
        if jit_compile == "auto":
            self.jit_compile = compiles_with_xla() and can_use_xla
        # Keras would build it in the first step, and a model saved before then could not resume.
        self.optimizer.build(self.trainable_variables)

    def get_compile_config(self) -> dict[str, Any] | None:
        """Returns the arguments of `compile`, with `jit_compile` as it was given.

        That way a model loaded on another backend resolves `"auto"` again for that backend.
        """
        config = super().get_compile_config()
        return config and {**config, "jit_compile": self._requested_jit_compile}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Configures training as in the saved model, including the optimizer's state."""
        config = keras.saving.deserialize_keras_object(config)
        # Models saved by earlier versions, which accepted and ignored these, must still load.
        self.compile(**{name: value for name, value in config.items() if name not in IGNORED})

    @refuses_unknown_arguments
    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Any = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Sequence[int] = 1,
    ) -> keras.callbacks.History:
        """Trains the model, see `keras.Model.fit`.

        Differences from Keras:

        - `x` are images: an array, a data set of this package, a `tf.data.Dataset`, a
          `keras.utils.PyDataset` (such as `dataset.batches()`), a `torch.utils.data.DataLoader`
          or a generator; from dictionaries, the entry `image` is used. The images of
          `dataset.batches(resident=True)` stay on the device during training.
        - `y`, `class_weight` and `sample_weight` are refused: the images are their own targets.
        - `batch_size` is 32 by default for arrays, 64 for data sets of this package, and refused
          for sources that already come in batches.
        - A `TrainingGuard` is added to `callbacks` unless there is one.
        - `validation_data` are images as in `x`; their reconstruction uses the posterior mean.
        - `shuffle` has no effect on `Batches`, which have their own order.

        Returns:
            Keras's `History`.

        Raises:
            UsageError: If the images do not fit the model, the validation images are resident, or
                an argument would be ignored.
            FailureError: If a loss becomes NaN or infinite, as happens with float images outside
                `[0, 1]` under the Bernoulli likelihood; or resident images do not fit in memory.
        """
        refuse(sample_weight=sample_weight, class_weight=class_weight, y=y)
        self._check_compiled("fit")
        check_verbose(verbose)
        flag("shuffle", shuffle)
        callbacks = [StepSynchronization(), *callbacks_of(callbacks)]
        if not any(isinstance(callback, TrainingGuard) for callback in callbacks):
            callbacks.insert(1, TrainingGuard())
        at_least("epochs", epochs, 0)
        at_least("initial_epoch", initial_epoch, 0)
        steps = {
            "steps_per_epoch": steps_per_epoch,
            "validation_steps": validation_steps,
            "validation_batch_size": validation_batch_size,
            "validation_freq": validation_freq,
        }
        check_counts(batch_size=batch_size, **steps)
        source = as_source(x, batch_size, shuffle, self.training_batches)
        held_out = self._held_out(validation_data, validation_batch_size, batch_size)
        check_split(validation_split, held_out, source)
        self._check_training_images(source, validation_split)
        check_parts(self, source, batch_size)
        self.note_images(source, 1 - (validation_split or 0))
        batches = source
        if isinstance(source, Batches):
            # Batches have their own, repeatable order; Keras would shuffle them again.
            shuffle = False
            source, further = own_parts_of(self, source)
            callbacks += further.pop("callbacks", [])
            steps.update(further)
        with kept_on_device(self, batches, "train_function"):
            return super().fit(
                source,
                batch_size=batch_size if hasattr(source, "shape") else None,
                epochs=epochs,
                verbose=verbose,
                callbacks=callbacks,
                validation_split=validation_split or 0.0,
                validation_data=held_out,
                shuffle=shuffle,
                initial_epoch=initial_epoch,
                **steps,
            )

    def _held_out(self, validation_data, validation_batch_size, batch_size):
        """Checks the validation images and returns them in a form that Keras accepts."""
        images = validation_images(validation_data)
        if images is None:
            return None
        images = as_source(images, validation_batch_size)
        check_validation_images(images, self.image_shape, self.likelihood.bounded)
        check_parts(self, images, validation_batch_size or batch_size)
        return images

    def training_batches(self, dataset: Any, **options: Any) -> Batches:
        """Returns batches of a data set's images as `fit` takes them.

        Args:
            dataset: A `keras_devae.data.Dataset`.
            **options: Arguments of `keras_devae.input.batches.Batches`.
        """
        return Batches(dataset, **options)

    def make_train_function(self, force: bool = False) -> None:
        """Builds the function that runs one execution, see `keras.Model.make_train_function`."""
        if self.train_function is not None and not force:
            return
        super().make_train_function(force=force)
        if self.resident_images is not None:
            self.train_function = steps_in_one_call(self, self.train_function)

    @refuses_unknown_arguments
    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
        *,
        _use_cached_eval_dataset: bool = False,
    ) -> Any:
        """Computes the model's losses on images, see `keras.Model.evaluate`.

        The result is deterministic, with the posterior mean instead of a sample. `x` and
        `batch_size` are as in `fit`; `y` and `sample_weight` are refused.

        Raises:
            UsageError: If the images do not fit the model, or an argument would be ignored.
        """
        how = {"verbose": verbose, "steps": steps, "callbacks": callbacks}
        if _use_cached_eval_dataset:
            # Called by `fit`, which has already checked the arguments.
            return super().evaluate(
                x, y, batch_size, return_dict=return_dict, _use_cached_eval_dataset=True, **how
            )
        refuse(sample_weight=sample_weight, y=y)
        self._check_compiled("evaluate")
        source = self._checked_source(x, batch_size, True, **how)
        self.note_images(source, training=False)
        with kept_on_device(self, source, "test_function"):
            size = batch_size if hasattr(source, "shape") else None
            if isinstance(source, Batches):
                source, further = own_parts_of(self, source)
                how["steps"] = steps or further.get("steps_per_epoch")
            return super().evaluate(source, batch_size=size, return_dict=return_dict, **how)

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> dict[str, Any]:
        """Returns what `call` returns for images, as NumPy arrays, see `keras.Model.predict`.

        `x` and `batch_size` are as in `fit`. Raises a `UsageError` for images that do not fit.
        """
        how = {"verbose": verbose, "steps": steps, "callbacks": callbacks}
        source = self._checked_source(x, batch_size, False, **how)
        size = batch_size if hasattr(source, "shape") else None
        return super().predict(source, batch_size=size, **how)

    def _checked_source(self, images, batch_size, trains, *, verbose, steps, callbacks):
        check_verbose(verbose)
        callbacks_of(callbacks)
        check_counts(batch_size=batch_size, steps=steps)
        source = as_source(images, batch_size)
        check_images(source, self.image_shape, self.likelihood.bounded, trains)
        check_parts(self, source, batch_size)
        return source

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """Runs one training step, see `keras.Model.train_on_batch`; takes images only."""
        refuse(sample_weight=sample_weight, class_weight=class_weight, y=y)
        self._check_compiled("train_on_batch")
        return super().train_on_batch(
            self._checked_batch(x, pairs=self.declaration.takes_pairs), return_dict=return_dict
        )

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Computes the losses of one batch, see `keras.Model.test_on_batch`; takes images only."""
        refuse(sample_weight=sample_weight, y=y)
        self._check_compiled("test_on_batch")
        return super().test_on_batch(self._checked_batch(x), return_dict=return_dict)

    def predict_on_batch(self, x: Any) -> dict[str, Any]:
        """Returns what `call` returns for one batch, see `keras.Model.predict_on_batch`."""
        return super().predict_on_batch(self._checked_batch(x, trains=False))

    def _checked_batch(self, images, trains=True, pairs=False):
        """Checks and returns one batch of images; leaves row numbers of resident images alone."""
        source = as_source(images)
        if not hasattr(source, "shape"):
            raise UsageError(
                f"One batch of images must be an array. Received: {type(images).__name__}."
            )
        if self.resident_images is None or len(source.shape) > 2:
            check_images(source, self.image_shape, self.likelihood.bounded, trains, pairs)
        return source

    def _check_training_images(self, source, validation_split):
        """Checks the images for `fit`."""
        pairs = self.declaration.takes_pairs
        check_images(source, self.image_shape, self.likelihood.bounded, pairs=pairs)
        if pairs and validation_split:
            raise UsageError(
                f"{type(self).__name__} is trained on pairs and validated on single images: pass "
                "these as `validation_data` instead of `validation_split`. Received: "
                f"validation_split={validation_split}."
            )

    def _check_compiled(self, method):
        if not self.compiled:
            raise UsageError(f"Call `compile` before `{method}`, e.g. model.compile('adam').")

    def _maybe_symbolic_build(self, *args, **kwargs):
        """Skips the build that Keras runs before training on several TensorFlow devices.

        It would use up a batch, and an epoch of `Batches`, to build a model that is already built.
        """
