"""Keras metrics that gather codes and factors, and score what they have gathered."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterable
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from keras_devae.backend import on_host
from keras_devae.checks import Array, Tensor, at_least, flag
from keras_devae.errors import UsageError
from keras_devae.metrics.base import METRICS
from keras_devae.metrics.metric_warnings import MetricWarning

#: Arguments of the functions that a Keras metric sets itself.
_OWN = ("codes", "factors", "sampler", "continuous", "factor_names")


class CodeMetric(keras.metrics.Metric):
    """A metric of codes and factors, gathered batch by batch in a table of float32 numbers.

    The table keeps the first `max_rows` rows after a reset: shuffle what you pass. Each `result()`
    scores the whole table on the CPU, as the function in `keras_devae.metrics` of the same name
    does, but without its warnings; in `fit`, Keras asks for it after each step. It is 0 as long as
    no factor has two values, and before the first row, as Keras's own metrics are.

    Works in compiled steps, unless TensorFlow compiles them with XLA (`jit_compile=True`). The
    table is made by the first `update_state`, or by `prepare` where a step that JAX compiles needs
    the variables before.

    Args:
        name: The name in logs; default the metric's name, e.g. `"mig"`.
        number: Which of the metric's numbers is the result, e.g. `"completeness"` of `DCI`; default
            the first one. See `keras_devae.metrics.METRICS`.
        max_rows: Number of rows kept; default 10,000.
        factors_first: Whether `update_state` gets the factors first and then the codes, as in
            `compile(metrics=...)`, where Keras passes targets and outputs. Default: no.
        continuous: Column numbers of the factors that are measured quantities, see
            `keras_devae.metrics.score_codes`. Default: none.
        dtype: The dtype of other Keras metrics' computations; float32 is used in any case.
        **options: Further arguments of the function, e.g. `bins=10`.

    Raises:
        UsageError: If an argument is wrong or the metric has no such number or option.

    Example:
        >>> metric = kd.metrics.keras.MIG()
        >>> factors = np.random.default_rng(0).integers(0, 4, (1000, 2))
        >>> for start in range(0, 1000, 100):
        ...     batch = factors[start : start + 100]
        ...     metric.update_state(2.0 * batch, batch)
        >>> round(float(metric.result()), 3)
        0.996
    """

    #: Name of the metric in `keras_devae.metrics`.
    metric: ClassVar[str] = ""

    def __init__(
        self,
        name: str | None = None,
        *,
        number: str | None = None,
        max_rows: int = 10_000,
        factors_first: bool = False,
        continuous: Iterable[int] = (),
        dtype: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(name=name or self.metric, dtype=dtype)
        declared = METRICS[self.metric]
        self.number = number or next(iter(declared.numbers))
        self._key = declared.key(self.number)
        at_least("max_rows", max_rows, 2)
        self.max_rows = int(max_rows)
        self.factors_first = flag("factors_first", factors_first)
        self.continuous = list(continuous)
        self._check_options(options)
        if self.continuous and not declared.takes_continuous:
            raise UsageError(
                f"{type(self).__name__} counts: put continuous factors into bins first, e.g. with "
                "`keras_devae.data.binned(column, 20)`."
            )
        self.options = options
        self._table: Any = None

    def _check_options(self, options: dict[str, Any]) -> None:
        declared = METRICS[self.metric]
        known = [n for n in inspect.signature(declared.function).parameters if n not in _OWN]
        unknown = [option for option in options if option not in known]
        if not unknown:
            return
        own = [
            name
            for name, parameter in inspect.signature(CodeMetric).parameters.items()
            if parameter.kind is not parameter.VAR_KEYWORD
            and (name != "continuous" or declared.takes_continuous)
        ]
        raise UsageError(
            f"{type(self).__name__} takes {', '.join(own)} and the options "
            f"{', '.join(known) or '(none)'} of `keras_devae.metrics.{self.metric}`. Received: "
            f"{', '.join(unknown)}."
        )

    def prepare(self, code_count: int, factor_count: int) -> None:
        """Makes the table for a number of codes and of factors, empty."""
        self._widths = int(code_count), int(factor_count)
        self._table = self.add_variable(
            (self.max_rows, sum(self._widths)), "zeros", dtype="float32", name="table"
        )
        self._filled = self.add_variable((), "zeros", dtype="int32", name="filled")

    def update_state(self, codes: Tensor, factors: Tensor, sample_weight: Any = None) -> None:
        """Adds a batch of codes `(n, d)` and factors `(n, f)`, as long as there is room.

        Raises:
            UsageError: If their shapes do not fit, or rows have weights, which no metric has.
        """
        if self.factors_first:
            codes, factors = factors, codes
        if sample_weight is not None:
            raise UsageError(f"{type(self).__name__} takes no weights of samples.")
        codes, factors = (ops.cast(ops.convert_to_tensor(a), "float32") for a in (codes, factors))
        self._check_shapes(codes, factors)
        count = ops.shape(codes)[0]
        # One row more, so that there is a row to take even from an empty batch.
        batch = ops.pad(ops.concatenate([codes, factors], axis=1), [[0, 1], [0, 0]])
        # The row of the batch that goes into each row of the table: shapes stay what they are.
        table, filled = map(ops.convert_to_tensor, (self._table, self._filled))
        sources = ops.arange(self.max_rows, dtype="int32") - filled
        is_new = ops.logical_and(sources >= 0, sources < count)
        taken = ops.take(batch, ops.clip(sources, 0, count), axis=0)
        self._table.assign(ops.where(is_new[:, None], taken, table))
        self._filled.assign(ops.minimum(filled + count, self.max_rows))

    def _check_shapes(self, codes: Tensor, factors: Tensor) -> None:
        if not len(codes.shape) == len(factors.shape) == 2 or codes.shape[0] != factors.shape[0]:
            raise UsageError(
                "Codes (n, d) and factors (n, f) must have one row for each sample. Received: "
                f"shapes {tuple(codes.shape)} and {tuple(factors.shape)}."
            )
        widths = codes.shape[1], factors.shape[1]
        if self._table is None:
            self.prepare(*widths)
        if widths != self._widths:
            raise UsageError(
                f"All batches must have {self._widths[0]} codes and {self._widths[1]} factors. "
                f"Received: {widths[0]} and {widths[1]}."
            )

    def result(self) -> Tensor:
        """Returns the score of the rows gathered so far, a float32 scalar; 0 without any."""
        if self._table is None:
            return ops.zeros(())
        filled = ops.cast(self._filled, "float32") * ops.ones((1, sum(self._widths)))
        table = ops.concatenate([ops.convert_to_tensor(self._table), filled])
        return on_host(self._score, table, (), "float32")

    def _score(self, table: Array) -> np.float32:
        rows = table[: int(table[-1, 0])].astype(np.float64)
        codes, factors = np.split(rows, [self._widths[0]], axis=1)
        if not len(rows) or (factors == factors[0]).all():
            return np.float32(0)
        options = {**self.options, **({"continuous": self.continuous} if self.continuous else {})}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MetricWarning)
            return np.float32(METRICS[self.metric].function(codes, factors, **options)[self._key])

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments, from which `from_config` makes an equal metric, empty."""
        return {
            **super().get_config(),
            "number": self.number,
            "max_rows": self.max_rows,
            "factors_first": self.factors_first,
            "continuous": self.continuous,
            **self.options,
        }
