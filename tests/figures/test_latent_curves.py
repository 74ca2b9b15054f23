import numpy as np
import pytest

from keras_devae.errors import UsageError
from keras_devae.figures import information_diffusion, kl_per_latent

STEPS = [0, 100, 200]
# Two latents, three factors: z1 ends up with factors a and b, z0 with c.
INFORMATION = np.zeros((3, 2, 3))
INFORMATION[:, 1, 0] = [0.0, 0.3, 0.6]
INFORMATION[:, 1, 1] = [0.0, 0.1, 1.2]
INFORMATION[:, 0, 2] = [0.0, 0.9, 0.4]
ENTROPIES = [0.6, 1.2, 1.6]


def lines_of(axes):
    return {line.get_label(): line for line in axes.lines}


def test_a_panel_for_each_factor_with_the_share_of_its_entropy():
    figure = information_diffusion(STEPS, INFORMATION, ENTROPIES, ["a", "b", "c"])
    assert [axes.get_title("left") for axes in figure.axes] == ["a: z1", "b: z1", "c: z0"]
    for axes, shares in zip(
        figure.axes, ([0, 0.5, 1], [0, 1 / 12, 1], [0, 0.5625, 0.25]), strict=True
    ):
        assert len(axes.lines) == 2
        (named,) = [line for name, line in lines_of(axes).items() if name.startswith("z")]
        np.testing.assert_allclose(named.get_ydata(), shares)
        assert named.get_xdata().tolist() == STEPS


def test_the_largest_divergences_are_named():
    kl = np.zeros((3, 12))
    kl[-1, :9] = np.arange(1, 10)
    kl[-1, 10] = 0.05
    (axes,) = kl_per_latent(STEPS, kl).axes
    named = [name for name in lines_of(axes) if name.startswith("z")]
    assert sorted(named) == [f"z{d}" for d in (2, 3, 4, 5, 6, 7, 8)]
    assert len(axes.lines) == 12
    assert axes.get_legend().get_texts()[0].get_text() == "z8"


def test_a_collapsed_posterior_names_nothing():
    (axes,) = kl_per_latent([5], np.zeros((1, 3))).axes
    assert axes.get_legend() is None


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: information_diffusion([1], INFORMATION, ENTROPIES, list("abc")), "1 steps"),
        (
            lambda: information_diffusion(STEPS, INFORMATION[0], ENTROPIES, list("abc")),
            "3 dimensions",
        ),
        (
            lambda: information_diffusion(STEPS, INFORMATION, ENTROPIES, list("ab")),
            "`factor_names`",
        ),
        (lambda: information_diffusion(STEPS, INFORMATION, [1.0], list("abc")), "`entropies`"),
        (lambda: kl_per_latent([], np.zeros((0, 3))), "2 dimensions"),
        (lambda: kl_per_latent(STEPS, np.zeros((2, 3))), "3 steps"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(draw, message):
    with pytest.raises(UsageError, match=message):
        draw()
