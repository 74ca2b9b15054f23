"""Sentences about what is wrong with a run, each from the state that calls for it."""

import dataclasses
import math

import numpy as np
import pytest

from keras_devae.evaluation.findings import verdict
from keras_devae.evaluation.measured_latents import Latents
from keras_devae.reports.problems import find_problems
from keras_devae.runs.config.run_config import RunConfig


def latents_of(kl=(3.0, 2.0), shares=((0.7, 0.0), (0.0, 0.6)), signal=None):
    kl, shares = np.array(kl, float), np.array(shares, float)
    signal, ends = kl if signal is None else np.array(signal, float), np.ones(len(kl))
    return Latents(0, kl, signal, -ends, ends, shares * 2, 0 * shares, np.full(2, 2.0), ("x", "y"))


def problems(model="vae", options=None, last=None, latents=None, scores=(), is_trained=True):
    config = RunConfig(model=model, model_options=options or {}, steps=1000)
    history = [] if last is None else [{"step": 1000, "loss": 10.0, **last}]
    return find_problems(config, history, latents or latents_of(), scores, is_trained)


def test_a_good_run_has_none():
    assert problems(scores=[{"layer": 0, "mig.score": 0.4}], last={"kl_loss": 5.0}) == []


@pytest.mark.parametrize(
    ("model", "options", "last", "expected"),
    [
        (
            "annealed_vae",
            {"capacity_max": 25.0},
            {"kl_loss": 12.0, "capacity": 25.0},
            "The capacity was missed: the KL divergence ended at 12.0 nats, below the target",
        ),
        (
            "joint_vae",
            {"categorical_capacity_max": 1.0, "num_categories": 3},
            {"categorical_kl_loss": 0.1, "categorical_capacity": 1.0},
            "The categorical capacity was missed: the KL divergence ended at 0.1 nats, below",
        ),
        (
            "control_vae",
            {"kl_target": 18.0},
            {"kl_loss": 30.0, "kl_target": 18.0},
            "The KL target was missed: the KL divergence ended at 30.0 nats, above the target",
        ),
        (
            "dynamic_vae",
            {"kl_target": 20.0},
            {"kl_loss": 10.1, "kl_target": 10.0},
            "The KL target reached only 10.0 of 20 nats, because the run is shorter than",
        ),
    ],
)
def test_a_target_that_was_missed(model, options, last, expected):
    (sentence,) = problems(model, options, last)
    assert sentence.startswith(expected)
    # Each says what to do, by the option's name.
    assert "--" in sentence or "gains" in sentence


@pytest.mark.parametrize("kl", [24.0, 26.0])
def test_a_target_that_was_met(kl):
    last = {"kl_loss": kl, "capacity": 25.0}
    assert problems("annealed_vae", {"capacity_max": 25.0}, last) == []


def test_a_category_tells_no_more_than_the_logarithm_of_their_number():
    options = {"categorical_capacity_max": 1.1, "num_categories": 2}
    last = {"categorical_kl_loss": 0.69, "categorical_capacity": math.log(2)}
    assert problems("joint_vae", options, last) == []
    (sentence,) = problems("joint_vae", {**options, "num_categories": 3}, last)
    assert sentence.startswith("The categorical capacity reached only 0.7 of 1.1")


def test_two_latents_of_one_factor_and_a_factor_of_none():
    shared, lost = problems(latents=latents_of(shares=((0.7, 0.3), (0.5, 0.05))))
    assert shared == "x is spread over 2 latents: z0 and z1 (70 % and 50 % of its entropy)."
    assert lost == ("No latent holds y. The best, z0 (which holds x), carries 30 % of its entropy.")


def test_a_factor_that_the_latent_of_another_tells_too():
    (sentence,) = problems(latents=latents_of(shares=((0.7, 0.0), (0.5, 0.6))))
    assert sentence == (
        "x is spread over several latents, which carry these shares of its entropy: z0 (which "
        "holds x) 70 % and z1 (which holds y) 50 %."
    )


def test_a_factor_that_the_latent_of_another_tells_best():
    (sentence,) = problems(latents=latents_of(shares=((0.2, 0.0), (0.5, 0.6))))
    assert sentence == (
        "x is spread over several latents, which carry these shares of its entropy: z1 (which "
        "holds y) 50 % and z0 (which holds x) 20 %."
    )


@pytest.mark.parametrize("signal", [(3.0, 3.0), (3.0, 0.02)])
def test_a_factor_with_a_latent_of_its_own_is_in_one_place(signal):
    """Whether the other one is too weak or dead: the verdict and the problems agree."""
    latents = latents_of(kl=(3.0, 3.4), shares=((1.0, 0.0), (0.26, 0.0)), signal=signal)
    assert verdict(latents).startswith("Partly: 1 of 2 factors has")
    assert not any("is spread over" in sentence for sentence in problems(latents=latents))


def test_a_factor_that_only_the_category_holds_is_not_lost():
    latents = latents_of(shares=((0.7, 0.0), (0.0, 0.05)))
    (lost,) = problems(latents=latents)
    assert lost.startswith("No latent holds y")
    assert problems(latents=dataclasses.replace(latents, category_shares=np.array([0, 0.8]))) == []
    both = dataclasses.replace(latents, category_shares=np.array([0.9, 0.8]))
    assert problems(latents=both) == [
        "x is spread over 2 latents: the category and z0 (90 % and 70 % of its entropy)."
    ]


def test_an_exploded_divergence():
    (sentence,) = problems(latents=latents_of(kl=(3.0, 4321.0)))
    assert sentence.startswith("The KL divergence has exploded: z1 has 4,321 nats")
    # A fitted decomposition has no pressure to raise.
    assert problems("pca", latents=latents_of(kl=(3.0, 4321.0))) == []


def test_codes_that_are_the_same_for_all_images():
    none, sentence = problems(latents=latents_of(signal=(0.02, 0.0)))
    assert none.startswith("No latent dimension is active: the strongest carries 0.02 nats")
    assert sentence.startswith("z0 and z1 differ from the prior in the same way for all images")
    # Weak is not dead.
    weak = problems(latents=latents_of(kl=(3.0, 0.61), signal=(3.0, 0.36)))
    assert not any("differ" in sentence for sentence in weak)


def test_no_latent_is_active():
    (sentence,) = problems(latents=latents_of(kl=(0.3, 0.1)))
    assert sentence.startswith(
        "No latent dimension is active: the strongest carries 0.30 nats of information"
    )


def test_numbers_that_are_not_finite():
    scores = [{"layer": 0, "mig.score": math.nan, "kl.total": 3.0}]
    loss, score = problems(last={"loss": math.nan}, scores=scores)
    assert loss.startswith("The loss was not a finite number at step 1,000")
    assert score.startswith("Not a finite number: mig.score")
    # A layer that no step of an epoch drew has no losses, which is no fault.
    assert problems(last={"kl_loss_layer_2": math.nan}) == []


def test_a_run_that_stopped_early():
    (sentence,) = problems(last={"step": 300}, is_trained=False)
    assert sentence.startswith("Training stopped early, at step 300 of 1,000")
    # A target that moves has not come to its end then, which is no fault.
    last = {"step": 300, "kl_loss": 1.0, "capacity": 20.0}
    options = {"capacity_max": 25.0}
    (sentence,) = problems("annealed_vae", options, last, is_trained=False)
    assert sentence.endswith("keras-devae train --resume RUN")


def test_a_run_that_goes_on_is_left_alone():
    history = [{"step": 300, "loss": 10.0}]
    config = RunConfig(model="vae", steps=1000)
    (sentence,) = find_problems(config, history, latents_of(), (), False, in_progress=True)
    assert sentence.startswith("Training is in progress, at step 300 of 1,000")
    assert "--resume" not in sentence
