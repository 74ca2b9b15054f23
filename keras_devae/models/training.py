"""Keras's own training loop, with the package's checks in front of it."""

import keras

from keras_devae.backend import (
    compiles_with_xla,
    steps_in_one_call,
)
from keras_devae.backend.replicas import check_parts, own_parts_of
from keras_devae.checks import at_least, flag
from keras_devae.errors import UsageError
from keras_devae.input.batches import Batches
from keras_devae.input.resident import kept_on_device
from keras_devae.models.images import as_source, check_held_out_images, check_images
from keras_devae.models.keras_arguments import (
    IGNORED,
    check_callbacks,
    check_compile,
    check_fit,
    check_names,
    check_split,
    check_verbose,
    get_optimizer,
    held_out_images,
    refuse,
)
from keras_devae.models.training_callbacks import StepSynchronization, TrainingGuard

#: Arguments that are handed on to Keras's `fit`, `evaluate` and `compile`.
_STEPS = ("steps_per_epoch", "validation_steps", "validation_batch_size", "validation_freq")
_HOW = ("steps", "callbacks", "return_dict")
_COMPILE = ("auto_scale_loss",)


class Training:
    """The part of `keras_devae.VAE` that Keras trains and evaluates."""

    def compile(
        self,
        optimizer="rmsprop",
        loss=None,
        loss_weights=None,
        metrics=None,
        weighted_metrics=None,
        run_eagerly=False,
        steps_per_execution=1,
        jit_compile="auto",
        **kwargs,
    ):
        """Configures training, see `keras.Model.compile`.

        Args:
            optimizer: A `keras.optimizers.Optimizer` or the name of one; default `"rmsprop"`.
            loss: Refused, like `loss_weights`, `metrics` and `weighted_metrics`: the objective is
                the model's own, and `fit` shows all of its terms.
            loss_weights: Refused.
            metrics: Refused.
            weighted_metrics: Refused.
            run_eagerly: As in Keras; default false.
            steps_per_execution: As in Keras; default 1.
            jit_compile: As in Keras, but `"auto"` (default) leaves XLA off on TensorFlow on a CPU,
                where it is slower.
            **kwargs: Further arguments of `keras.Model.compile`.

        Raises:
            UsageError: If something is given that the model would ignore, or that is out of range.
        """
        check_names("compile", kwargs, _COMPILE)
        check_compile(steps_per_execution, jit_compile, run_eagerly)
        refuse(
            loss=loss, loss_weights=loss_weights, metrics=metrics, weighted_metrics=weighted_metrics
        )
        super().compile(
            optimizer=get_optimizer(optimizer),
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
            jit_compile=jit_compile,
            **kwargs,
        )
        self._requested_jit_compile = jit_compile
        if jit_compile == "auto":
            self.jit_compile = compiles_with_xla()
        # Keras would wait for the first step, and a model saved before it could not be resumed.
        self.optimizer.build(self.trainable_variables)

    def get_compile_config(self):
        """Returns the arguments of `compile`, with `jit_compile` as it was given.

        A model trained on one backend and loaded on another chooses anew what `"auto"` means.
        """
        config = super().get_compile_config()
        return config and {**config, "jit_compile": self._requested_jit_compile}

    def compile_from_config(self, config):
        """Configures training as a saved model was, optimizer state included."""
        config = keras.saving.deserialize_keras_object(config)
        # What a model saved by an earlier version was given, and ignored, must not keep it closed.
        self.compile(**{name: value for name, value in config.items() if name not in IGNORED})

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        epochs=1,
        verbose="auto",
        callbacks=None,
        validation_split=0.0,
        validation_data=None,
        shuffle=True,
        class_weight=None,
        sample_weight=None,
        initial_epoch=0,
        **steps,
    ):
        """Trains the model, see `keras.Model.fit`.

        Args:
            x: Images: an array, a data set of this package, a `tf.data.Dataset`, a
                `keras.utils.PyDataset` (such as `dataset.batches()`), a
                `torch.utils.data.DataLoader` or a generator; of dictionaries `image` counts. Those
                of `dataset.batches(resident=True)` are all kept on the device meanwhile.
            y: Refused: the images are their own targets.
            batch_size: Images a batch of an array or data set; default 32 for arrays, 64 for data
                sets of this package.
            epochs: As in Keras; default 1.
            verbose: As in Keras.
            callbacks: As in Keras; a `TrainingGuard` is added if there is none.
            validation_split: As in Keras, for arrays; default 0.
            validation_data: Images as in `x`. Reconstruction uses the posterior mean, no noise.
            shuffle: As in Keras; default true. `Batches` have an order of their own.
            class_weight: Refused.
            sample_weight: Refused.
            initial_epoch: As in Keras; default 0.
            **steps: `steps_per_epoch`, `validation_steps`, `validation_batch_size` and
                `validation_freq` of `keras.Model.fit`.

        Returns:
            Keras's `History`.

        Raises:
            UsageError: If the images do not fit the model, those for validation are resident, or
                something is given that the model would ignore.
            FailureError: If a loss becomes NaN or infinite, which that of float images outside
                `[0, 1]` is for the Bernoulli likelihood; or resident images do not fit in memory.
        """
        refuse(sample_weight=sample_weight, class_weight=class_weight, y=y)
        self._check_compiled("fit")
        check_names("fit", steps, _STEPS)
        check_verbose(verbose)
        flag("shuffle", shuffle)
        callbacks = callbacks_of(callbacks)
        check_fit(batch_size, epochs, initial_epoch, callbacks, **_counts(steps))
        source = as_source(x, batch_size, shuffle)
        held_out = self._held_out(validation_data, steps, batch_size)
        check_split(validation_split, held_out, source)
        check_images(source, self.image_shape, self.likelihood.bounded)
        check_parts(self, source, batch_size)
        self.note_images(source, 1 - (validation_split or 0))
        callbacks = [StepSynchronization(), *callbacks]
        if not any(isinstance(callback, TrainingGuard) for callback in callbacks):
            callbacks.insert(1, TrainingGuard())
        how = {"shuffle": shuffle, **steps}
        batches = source
        if isinstance(source, Batches):
            # They are in their own, repeatable order; Keras would shuffle them once more.
            how["shuffle"] = False
            source, more = own_parts_of(self, source)
            callbacks += more.pop("callbacks", [])
            how.update(more)
        with kept_on_device(self, batches, "train_function"):
            return super().fit(
                source,
                batch_size=batch_size if hasattr(source, "shape") else None,
                epochs=epochs,
                verbose=verbose,
                callbacks=callbacks,
                validation_split=validation_split or 0.0,
                validation_data=held_out,
                initial_epoch=initial_epoch,
                **how,
            )

    def _held_out(self, validation_data, steps, batch_size):
        """Returns the images for validation, checked, as Keras takes them."""
        images = held_out_images(validation_data)
        if images is None:
            return None
        size = steps.get("validation_batch_size")
        images = as_source(images, size)
        check_held_out_images(images, self.image_shape, self.likelihood.bounded)
        check_parts(self, images, size or batch_size)
        return images

    def note_images(self, images, share):
        """Called by `fit` before it trains, for models that need to know of the images.

        Args:
            images: The images, as Keras takes them.
            share: The share of them that is trained on.
        """

    def make_train_function(self, force=False):
        """Makes what computes an execution, see `keras.Model.make_train_function`."""
        if self.train_function is not None and not force:
            return
        super().make_train_function(force=force)
        if self.resident_images is not None:
            self.train_function = steps_in_one_call(self, self.train_function)

    def evaluate(self, x=None, y=None, batch_size=None, verbose="auto", sample_weight=None, **how):
        """Computes the losses of images, see `keras.Model.evaluate`.

        Args:
            x: Images, as in `fit`.
            y: Refused.
            batch_size: As in `fit`.
            verbose: As in Keras.
            sample_weight: Refused.
            **how: `steps`, `callbacks` and `return_dict` of `keras.Model.evaluate`.

        Returns:
            As `keras.Model.evaluate`; deterministic, with the posterior mean in place of a sample.

        Raises:
            UsageError: If the images do not fit the model, or something is given that it would
                ignore.
        """
        if how.get("_use_cached_eval_dataset"):
            # From within `fit`, which has checked them.
            return super().evaluate(x, y, batch_size, verbose, sample_weight, **how)
        refuse(sample_weight=sample_weight, y=y)
        self._check_compiled("evaluate")
        check_names("evaluate", how, _HOW)
        check_verbose(verbose)
        check_callbacks(callbacks_of(how.get("callbacks")))
        source = self._checked_source(x, batch_size, how.get("steps"))
        with kept_on_device(self, source, "test_function"):
            size = batch_size if hasattr(source, "shape") else None
            return super().evaluate(source, batch_size=size, verbose=verbose, **how)

    def predict(self, x, batch_size=None, verbose="auto", steps=None, callbacks=None):
        """Returns what `call` returns for images, see `keras.Model.predict`.

        Args:
            x: Images, as in `fit`.
            batch_size: As in `fit`.
            verbose: As in Keras.
            steps: As in Keras.
            callbacks: As in Keras.

        Returns:
            Dictionary of NumPy arrays, see `call`.

        Raises:
            UsageError: If the images do not fit the model.
        """
        check_verbose(verbose)
        check_callbacks(callbacks_of(callbacks))
        source = self._checked_source(x, batch_size, steps, trains=False)
        size = batch_size if hasattr(source, "shape") else None
        return super().predict(
            source, batch_size=size, verbose=verbose, steps=steps, callbacks=callbacks
        )

    def _checked_source(self, images, batch_size, steps, trains=True):
        for name, value in {"batch_size": batch_size, "steps": steps}.items():
            if value is not None:
                at_least(name, value, 1)
        source = as_source(images, batch_size)
        check_images(source, self.image_shape, self.likelihood.bounded, trains=trains)
        check_parts(self, source, batch_size)
        return source

    def train_on_batch(self, x, y=None, sample_weight=None, class_weight=None, return_dict=False):
        """Makes one training step, see `keras.Model.train_on_batch`; images alone are taken."""
        refuse(sample_weight=sample_weight, class_weight=class_weight, y=y)
        self._check_compiled("train_on_batch")
        return super().train_on_batch(self._checked_batch(x), return_dict=return_dict)

    def test_on_batch(self, x, y=None, sample_weight=None, return_dict=False):
        """Computes losses of one batch, see `keras.Model.test_on_batch`; of images alone."""
        refuse(sample_weight=sample_weight, y=y)
        self._check_compiled("test_on_batch")
        return super().test_on_batch(self._checked_batch(x), return_dict=return_dict)

    def predict_on_batch(self, x):
        """Returns what `call` returns for one batch, see `keras.Model.predict_on_batch`."""
        return super().predict_on_batch(self._checked_batch(x, trains=False))

    def _checked_batch(self, images, trains=True):
        """Returns one batch of images, or of row numbers where images are resident, as it is."""
        source = as_source(images)
        if not hasattr(source, "shape"):
            raise UsageError(
                f"One batch of images must be an array. Received: {type(images).__name__}."
            )
        if self.resident_images is None or len(source.shape) != 1:
            check_images(source, self.image_shape, self.likelihood.bounded, trains=trains)
        return source

    def _check_compiled(self, method):
        if not self.compiled:
            raise UsageError(f"Call `compile` before `{method}`, e.g. model.compile('adam').")

    def _maybe_symbolic_build(self, *args, **kwargs):
        """Leaves out what Keras does on several devices of TensorFlow's before it trains.

        It would use up a batch, and an epoch of `Batches`, to build what is built already.
        """


def callbacks_of(callbacks):
    """Returns what `fit` of Keras takes as callbacks as a list."""
    callbacks = list(callbacks) if isinstance(callbacks, (list, tuple)) else [callbacks]
    return [callback for callback in callbacks if callback is not None]


def _counts(steps):
    """Returns the arguments that are numbers; `validation_freq` may be a list of epochs."""
    return {name: value for name, value in steps.items() if not isinstance(value, (list, tuple))}
