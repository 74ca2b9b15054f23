"""Sentences about what a model learned, from latents made by hand."""

import numpy as np
import pytest

from keras_devae.evaluation.findings import has_own, own_rule, verdict
from keras_devae.evaluation.measured_latents import Latents
from keras_devae.metrics import (
    kl_per_dimension,
    mutual_information_matrix,
    signal_per_dimension,
)
from keras_devae.reports.summary import constant_factors, summarize

SCORES = {
    "layer": 0,
    "mig.score": 0.36,
    "reconstruction_error.negative_log_likelihood": 21.34,
    "reconstruction_error.squared_error": 12.8,
}


def latents_of(kl, shares=None, names=("scale", "x", "y"), signal=None, category=None):
    """Latents whose factors have an entropy of 2 nats each."""
    kl = np.array(kl, float)
    names = () if shares is None else names
    shares = np.zeros((len(kl), 0)) if shares is None else np.array(shares, float)
    entropies = np.full(len(names), 2.0)
    return Latents(
        layer=0,
        kl=kl,
        signal=kl if signal is None else np.array(signal, float),
        low=np.full(len(kl), -2.0),
        high=np.full(len(kl), 2.0),
        information=shares * 2,
        chance=0 * shares,
        entropies=entropies,
        factor_names=names,
        category_shares=None if category is None else np.array(category),
    )


def test_each_factor_in_a_latent_of_its_own():
    latents = latents_of([3, 2, 1, 0], [[0.7, 0, 0], [0, 0.6, 0], [0, 0.1, 0.5], [0, 0, 0]])
    assert verdict(latents) == "Yes: each of the 3 factors has a latent of its own."
    active, held, *_ = summarize([latents], [], (8, 8, 1))
    assert active == (
        "3 of 4 latent dimensions are active. A latent is active if its posterior mean varies "
        "enough between images, compared with the spread of the posterior itself, to carry 0.5 "
        "nats or more. The KL divergence of the active ones adds up to 6.0 nats."
    )
    assert held.startswith("z0 holds scale (70 %), z1 holds x (60 %) and z2 holds y (50 %).")
    assert "share of the factor's entropy that the posterior means carry" in held
    rule = own_rule(latents)
    assert held.endswith(rule) and "at least 30 %" in rule and "half as much" in rule


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        # z1 and z2 share x.
        (
            [[0.7, 0, 0], [0, 0.6, 0], [0, 0.5, 0.1]],
            "Partly: 1 of 3 factors has a latent of its own: scale.",
        ),
        # y is in z2, but a quarter of it only.
        (
            [[0.7, 0, 0], [0, 0.6, 0], [0, 0, 0.25]],
            "Partly: 2 of 3 factors have a latent of their own: scale and x.",
        ),
        ([[0.2, 0, 0], [0, 0.05, 0], [0, 0, 0.2]], "No: no factor has a latent"),
        # z1 holds x, and carries more than half as much of scale as z0.
        (
            [[0.7, 0, 0], [0.5, 0.6, 0], [0, 0, 0.5]],
            "Partly: 2 of 3 factors have a latent of their own: x and y.",
        ),
    ],
)
def test_factors_that_are_shared_or_held_weakly_do_not_count(shares, expected):
    assert verdict(latents_of([3, 2, 1], shares)).startswith(expected)


def test_a_code_that_carries_nothing():
    latents = latents_of([0.01, 0.2], [[0.9, 0, 0], [0, 0.9, 0]])
    assert verdict(latents) == (
        "No: no latent dimension is active. The strongest carries 0.20 nats of information about "
        "the images; an active one carries 0.5 or more."
    )
    (sentence,) = summarize([latents], [], (8, 8, 1))
    assert sentence.startswith("None of 2 latent dimensions is active. A latent is active if its")


def test_means_that_are_the_same_for_all_images_hold_nothing():
    shares = [[0.7, 0, 0], [0, 0.6, 0], [0, 0, 0.5]]
    assert verdict(latents_of([3, 2, 1], shares, signal=[0.02, 0.01, 0.0])).startswith(
        "No: no latent dimension is active."
    )


NAMES = ("color", "shape")


@pytest.mark.parametrize(
    ("shares", "signal", "own"),
    [
        # The rule at its limits: 30 %, and half as much.
        ([[0.30, 0], [0.149, 0], [0, 0]], [3, 3, 3], ["color"]),
        ([[0.299, 0], [0, 0], [0, 0]], [3, 3, 3], []),
        ([[1.0, 0], [0.5, 0], [0, 0]], [3, 3, 3], []),
        # Others that tell a little, as much as holders do, leave it its own.
        ([[1.0, 0], [0.26, 0], [0.24, 0]], [3, 3, 3], ["color"]),
        ([[1.0, 0], [0.26, 0.05], [0.24, 0.8]], [3, 3, 3], ["color", "shape"]),
        # Dead ones do not count, whatever their means tell.
        ([[1.0, 0], [0.9, 0], [0.8, 0]], [3, 0.02, 0.02], ["color"]),
        ([[0.0, 0], [0.9, 0], [0, 0.8]], [3, 0.02, 3], ["shape"]),
        # A latent of both factors belongs to the one it carries more of, or to none.
        ([[0.9, 0.8], [0, 0], [0, 0]], [3, 3, 3], ["color"]),
        ([[0.9, 0.9], [0, 0], [0, 0]], [3, 3, 3], []),
        # The latent that carries most of a factor counts, not the one that holds it.
        ([[0.2, 0], [0.6, 0.8], [0, 0]], [3, 3, 3], ["shape"]),
    ],
)
def test_the_rule_that_is_printed_is_the_rule_that_is_used(shares, signal, own):
    latents = latents_of([3, 3.4, 3], shares, NAMES, signal)
    assert [name for name in NAMES if has_own(latents, name)] == own
    start = {0: "No: no factor has", 1: "Partly: 1 of 2 factors", 2: "Yes: each of the 2"}
    assert verdict(latents).startswith(start[len(own)])
    assert len(own) != 1 or verdict(latents).endswith(f"of its own: {own[0]}.")


def test_shifted_codes_take_no_factor_from_its_latent():
    """Measured, not made up: their means follow the color within the noise of their posterior."""
    color = np.tile(np.arange(4.0), 500)
    rng = np.random.default_rng(0)
    spread = 0.026 * (color - 1.5) / color.std()
    means = np.stack([color - 1.5, 1.95 + spread, 1.74 - spread, rng.normal(size=2000)], 1)
    log_var = np.broadcast_to(2 * np.log([0.1, 0.135, 0.135, 0.5]), means.shape)
    latents = Latents(
        0,
        kl_per_dimension(means, log_var),
        signal_per_dimension(means, log_var),
        *np.quantile(means, (0.025, 0.975), axis=0),
        mutual_information_matrix(means, color.astype(int)[:, None]),
        np.zeros((4, 1)),
        np.array([np.log(4)]),
        ("color",),
    )
    # All three tell all of it by their means, and two of them nothing by what the decoder sees.
    np.testing.assert_allclose(latents.shares[:3, 0], 1.0)
    assert (latents.kl[1:3] > 3).all() and latents.active.tolist() == [0, 3]
    assert latents.idle.tolist() == [1, 2]
    assert verdict(latents) == "Yes: color, the only factor, has a latent of its own."


def test_a_category_can_hold_a_factor():
    shares = [[0.7, 0, 0], [0, 0.6, 0], [0, 0, 0.02]]
    own = latents_of([3, 2, 1], shares, category=[0.01, 0.0, 0.9])
    assert verdict(own) == "Yes: each of the 3 factors has a latent or category of its own."
    _, held = summarize([own], [], (8, 8, 1))
    assert "z1 holds x (60 %) and the category holds y (90 %)." in held
    # A factor that is in a latent and in the category too is not in one place.
    both = latents_of([3, 2, 1], shares, category=[0.6, 0.0, 0.0])
    assert verdict(both).startswith("Partly: 1 of 3 factors") and verdict(both).endswith(" x.")
    # Nor does it matter whether a latent is active.
    alone = latents_of([0.1, 0.1, 0.1], shares, category=[0.0, 0.0, 0.9])
    assert verdict(alone).startswith("Partly: 1 of 3 factors") and verdict(alone).endswith(" y.")


def test_factors_that_do_not_vary_are_named():
    latents = latents_of([3, 2, 1], np.zeros((3, 3)))
    assert constant_factors(latents, ("color", "scale", "x", "y")) == [
        "color does not vary in these images and is not scored."
    ]
    assert (
        constant_factors(latents, ("scale", "x", "y"))
        == constant_factors(latents_of([1]), None)
        == []
    )


def test_without_factors_nothing_is_claimed():
    latents = latents_of([3, 0])
    assert verdict(latents).startswith("Unknown")
    (active,) = summarize([latents], [], (8, 8, 1))
    assert active.startswith("1 of 2 latent dimensions is active.")


def test_scores_in_words():
    latents, second = latents_of([3]), {**SCORES, "layer": 1}
    second["reconstruction_error.negative_log_likelihood"] = 44.0
    *_, mig, reconstruction = summarize([latents] * 2, [SCORES, second], (8, 8, 2))
    assert "is 0.36" in mig and "by 36 % of the factor's entropy" in mig
    # 12.8 over the 128 numbers of an image.
    assert reconstruction == (
        "Reconstructing an image from its code loses 21.3 nats, a mean squared error of 0.1000 per "
        "pixel and channel; from the last layer, 1, it loses 44.0 nats."
    )


def test_many_latents_are_not_all_listed():
    shares = np.full((20, 1), 0.2)
    (_, held) = summarize([latents_of(np.ones(20), shares, names=("x",))], [], (8, 8, 1))
    assert "z7 holds x (20 %) and 12 more hold factors" in held and "z8" not in held
