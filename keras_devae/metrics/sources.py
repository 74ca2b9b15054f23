"""The data that metrics are computed from."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any, Protocol

from keras_devae.checks import Array
from keras_devae.errors import UsageError
from keras_devae.metrics.arrays import check_codes, value_counts
from keras_devae.metrics.base import Score
from keras_devae.metrics.continuous_factors import Continuous, read_factors
from keras_devae.metrics.estimators.posterior import check_same_shape
from keras_devae.metrics.labelled import check_same_length
from keras_devae.metrics.samplers import CodeTable, Sampler


class Source(Protocol):
    """The data that metrics are computed from: a table with access by row.

    Without factors `factor_names` is `None`; so is `factor_sizes`, their numbers of values, where
    those are unknown.
    """

    factor_names: tuple[str, ...] | None
    factor_sizes: list[int] | None
    continuous_factors: tuple[str, ...]

    @property
    def sampler(self) -> Sampler:
        """A `Sampler` over the whole table."""

    @property
    def negative_log_likelihood(self) -> float | None:
        """The reconstruction term in nats, or `None` if it is unknown."""

    def reconstruction_error(self) -> Score:
        """Returns the result of `keras_devae.metrics.reconstruction_error`."""

    def codes_of(self, rows: Array) -> Array:
        """Returns the codes `(n, d)` of rows."""

    def factors_of(self, rows: Array) -> Array:
        """Returns the factors `(n, f)` of rows, with bins of continuous ones."""

    def measured_of(self, rows: Array) -> dict[str, Array]:
        """Returns the measured values `(n,)` of continuous factors by name."""

    def posterior_of(self, rows: Array) -> tuple[Array, Array]:
        """Returns the means and log-variances `(n, d)` of rows."""

    def divergences_of(self, rows: Array) -> Array | None:
        """Returns the KL divergences `(n,)` of rows where these are estimated, else `None`."""


class ArraySource:
    """Codes and factors in memory."""

    negative_log_likelihood = None

    def __init__(
        self,
        codes: Array,
        factors: Array | None,
        factor_names: Iterable[str] | None,
        continuous: Continuous,
        z_log_var: Array | None,
    ):
        self.codes = check_codes(codes)
        self.factors: Any = None
        self.z_log_var: Any = None
        self.factor_names: tuple[str, ...] | None = None
        self.factor_sizes: list[int] | None = None
        self.measured: dict[str, Array] = {}
        if factors is not None:
            given = read_factors(factors, factor_names, continuous)
            self.factors, self.factor_names, self.measured = given
            check_same_length(self.codes, self.factors)
            self.factor_sizes = [len(value_counts(column)) for column in self.factors.T]
        elif factor_names is not None or continuous:
            raise UsageError(
                "`factor_names` and `continuous` name the columns of `factors`. Received: names "
                "without factors."
            )
        self.continuous_factors = tuple(self.measured)
        if z_log_var is not None:
            self.z_log_var = check_codes(z_log_var, "z_log_var")
            check_same_shape(self.codes, self.z_log_var)

    @cached_property
    def sampler(self) -> Sampler:
        """A table of all rows."""
        return CodeTable(self.codes, self.factors, self.factor_names)

    def codes_of(self, rows: Array) -> Array:
        """Returns the codes `(n, d)` of rows."""
        return self.codes[rows]

    def factors_of(self, rows: Array) -> Array:
        """Returns the factors `(n, f)` of rows, with bins of continuous ones."""
        return self.factors[rows]

    def measured_of(self, rows: Array) -> dict[str, Array]:
        """Returns the measured values `(n,)` of continuous factors by name."""
        return {name: values[rows] for name, values in self.measured.items()}

    def posterior_of(self, rows: Array) -> tuple[Array, Array]:
        """Returns the codes and log-variances `(n, d)` of rows."""
        return self.codes[rows], self.z_log_var[rows]

    def divergences_of(self, rows: Array) -> Array | None:
        """Returns `None`: divergences follow from the log-variances."""
        return None

    def reconstruction_error(self) -> Score:
        """Raises an error, as there are no images."""
        raise NotImplementedError("There are no images.")
