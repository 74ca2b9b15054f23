"""What each latent dimension of an encoder holds: the numbers, and what follows from them."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np

from keras_devae import metrics
from keras_devae.checks import Array

#: Share of a factor's entropy from which a latent dimension is said to hold the factor.
HELD_SHARE = 0.1
#: Share of an idle dimension's KL divergence that may be signal.
IDLE_SHARE = 0.1
#: The categorical code among the holders of factors.
CATEGORY = "category"


@dataclasses.dataclass(frozen=True)
class Latents:
    """What the latent dimensions of a layer hold, measured on a data set.

    Attributes:
        layer: Number of the latent layer.
        kl: `(d,)` mean KL divergence of each dimension from the prior, in nats, without a
            categorical code's; NaN for codes without a posterior.
        signal: `(d,)` what each dimension passes on of the images, in nats, which decides whether
            it is active, see `keras_devae.metrics.signal_per_dimension`; of codes without a
            posterior 0 if they are constant, else infinite.
        low: `(d,)` 2.5 % quantile of the posterior means.
        high: `(d,)` 97.5 % quantile of the posterior means.
        information: `(d, f)` mutual information with each factor in nats; `(d, 0)` without factors.
        chance: `(d, f)` what of it a count of so few images finds where there is none, in nats.
        entropies: `(f,)` entropies of the factors in nats, above 0.
        factor_names: Names of the `f` factors that vary.
        category_shares: `(f,)` `shares` of the categorical code, `None` for a model without one.
        representation: `"mean"` or `"sample"` of the posterior, which information is measured of.
        estimated_kl: KL divergence of all dimensions together, in nats, where it was estimated
            from samples. `kl` then assumes a Gaussian with each dimension's mean and variance: a
            lower bound, which adds up to less. `None` where `kl` is exact and adds up to it.

    Example:
        >>> images = kd.data.load("dsprites", source="rendered", image_size=32)
        >>> model = kd.VAE.for_images((32, 32, 1), latent_dim=3)
        >>> latents = kd.evaluation.measure_latents(model, images, images=200)
        >>> latents.kl.shape, latents.information.shape
        ((3,), (3, 5))
    """

    layer: int
    kl: Array
    signal: Array
    low: Array
    high: Array
    information: Array
    chance: Array
    entropies: Array
    factor_names: tuple[str, ...]
    category_shares: Array | None = None
    representation: str = "mean"
    estimated_kl: float | None = None

    @property
    def has_posterior(self) -> bool:
        """Whether the codes have a posterior, which some functions do not return."""
        return not np.isnan(self.kl).any()

    @property
    def total_kl(self) -> float:
        """The KL divergence of all dimensions together, in nats; NaN without a posterior."""
        return float(self.kl.sum()) if self.estimated_kl is None else self.estimated_kl

    @property
    def noun(self) -> str:
        """What a dimension is called: `"latent"`, or `"code"` without a posterior."""
        return "latent" if self.has_posterior else "code"

    @property
    def measured(self) -> str:
        """What information is measured of, in words."""
        return f"posterior {self.representation}s" if self.has_posterior else "codes"

    @functools.cached_property
    def is_active(self) -> Array:
        """Which dimensions are active, `(d,)`, see `keras_devae.metrics.active_dimensions`."""
        return metrics.active_dimensions(self.signal)

    @property
    def order(self) -> Array:
        """Numbers of the dimensions, `(d,)`: the active ones first, each by falling KL.

        Without a posterior they are sorted by falling share of a factor instead.
        """
        strength = self.kl if self.has_posterior else self.shares.max(axis=1, initial=0.0)
        return np.lexsort((-strength, ~self.is_active))

    @property
    def active(self) -> Array:
        """Numbers of the active dimensions, in the same order."""
        return self.order[: self.is_active.sum()]

    @property
    def idle(self) -> Array:
        """Numbers of the dimensions that differ from the prior in the same way for all images.

        Their KL divergence is as high as an active one's, but little of it distinguishes images.
        """
        costly = ~self.is_active & (self.kl >= metrics.ACTIVE_NATS)
        return np.flatnonzero(costly & (self.signal < IDLE_SHARE * self.kl))

    @functools.cached_property
    def shares(self) -> Array:
        """Mutual information as a share of each factor's entropy, `(d, f)`, in `[0, 1]`.

        It is adjusted for chance, as Vinh et al. (2010, Information Theoretic Measures for
        Clusterings Comparison) adjust theirs: what chance finds is subtracted from both. Counts
        find some information in noise, and much where images are few and values many.
        """
        return beyond_chance(self.information, self.chance, self.entropies)

    @property
    def best_shares(self) -> Array:
        """Largest share of each factor's entropy in a dimension, `(f,)`.

        Of means, only active dimensions count: noise hides what the means of others hold. Samples
        have that noise in them.
        """
        counts = self.is_active[:, None] | (self.representation == "sample")
        return np.where(counts, self.shares, 0.0).max(axis=0)

    def share_of(self, holder: int | str, factor: str) -> float:
        """Returns the share, from 0 to 1, of a factor's entropy in a dimension or `"category"`."""
        shares: Any = self.category_shares if holder == CATEGORY else self.shares[holder]
        return float(shares[self.factor_names.index(factor)])

    def factor_of(self, dimension: int) -> str | None:
        """Returns the name of the factor that a dimension holds, or `None`.

        It is the factor with the largest share of its entropy in the dimension, if that share is at
        least `HELD_SHARE`; an inactive dimension holds none.
        """
        if not self.factor_names or not self.is_active[dimension]:
            return None
        shares = self.shares[dimension]
        best = int(shares.argmax())
        return self.factor_names[best] if shares[best] >= HELD_SHARE else None

    def name_of(self, dimension: int) -> str:
        """Returns the dimension's number with the factor that it holds, e.g. `"z3 scale"`."""
        factor = self.factor_of(dimension)
        return f"z{dimension}" if factor is None else f"z{dimension} {factor}"

    def remark_of(self, dimension: int) -> str:
        """Returns how strong a dimension is: its KL divergence, or its largest share of a factor.

        E.g. `"KL 2.41"`, or without a posterior `"83 %"`; empty without factors, too.
        """
        if self.has_posterior:
            return f"KL {self.kl[dimension]:.2f}"
        return f"{self.shares[dimension].max():.0%}" if self.factor_names else ""

    def holders(self, with_category: bool = False) -> dict[str, list[int | str]]:
        """Returns the numbers of the latent dimensions that hold each factor, by falling share.

        With the category, the categorical code, `"category"`, is among them if it has at least
        `HELD_SHARE` of the factor's entropy, see `share_of`; default without.
        """
        found: dict[str, list[int | str]] = {name: [] for name in self.factor_names}
        for dimension in self.order:
            factor = self.factor_of(dimension)
            if factor is not None:
                found[factor].append(int(dimension))
        for factor, holders in found.items():
            has_category = with_category and self.category_shares is not None
            if has_category and self.share_of(CATEGORY, factor) >= HELD_SHARE:
                holders.append(CATEGORY)
            holders.sort(key=functools.partial(self.share_of, factor=factor), reverse=True)
        return found


def beyond_chance(information: Array, chance: Array, entropies: Array) -> Array:
    """Returns information as a share of entropy, from 0 for what chance finds, see `shares`."""
    room = entropies - chance
    found = np.maximum(information - chance, 0)
    return np.divide(found, room, out=np.zeros_like(found), where=room > 0)
