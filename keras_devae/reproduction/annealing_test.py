"""The annealing test: at which pressure a data set's factors get through, and betas from that.

After the annealing test of DEFT (Wu et al. 2022), by which the DeVAE paper chooses its betas too. A
beta-VAE is trained while its beta falls from where everything is collapsed, by the same factor at
every step. A factor's information freezing point is the beta at which the model begins to tell of
it. DEFT lets beta grow and watches the information vanish; here it falls, as in what both methods
do with the points, and since learning takes time the points lie a little low: the more steps, the
less.

What is known of a factor is the mutual information of samples of the latent dimension that tells
most of it. Posterior means would mislead: under a strong pressure they are tiny, but free of noise,
and tell much of what samples, all that the decoder sees, do not.
"""

import dataclasses
import functools
import itertools
import math

import numpy as np

from keras_devae import checks, figures
from keras_devae.checks import positive
from keras_devae.errors import UsageError
from keras_devae.evaluation.information_file import read_information_file
from keras_devae.files import write_json, write_table
from keras_devae.runs import Run, RunConfig

#: The default range, at 64x64 pixels.
BETA_START, BETA_END = 200.0, 1.0
#: Share of a factor's entropy from which it counts as known.
KNOWN_SHARE = 0.1
#: Freezing points that lie closer than by this factor make one group.
GROUP_FACTOR = 1.5
#: The pressure just under a freezing point, as a share of it.
JUST_UNDER = 0.9
#: What can be said of a factor's freezing point.
_ABOVE, _MEASURED, _BELOW = "above the start", "measured", "below the end"

RULE = (
    f"Freezing points within a factor of {GROUP_FACTOR:g} make a group. Layer 0 has the beta at "
    "the end of the test, where all that was seen is known; every gap between two groups gives a "
    "layer the beta in its (geometric) middle, which lets through what freezes above it; with a "
    f"single group, layer 1 has {JUST_UNDER:g} times its lowest point."
)


@dataclasses.dataclass(frozen=True)
class AnnealingTest:
    """What an annealing test found.

    Attributes:
        steps: `(t,)` training steps at which information was read.
        betas: `(t,)` pressures then.
        shares: `(t, f)` information of the best latent dimension as a share of the entropy.
        factor_names: Names of the `f` factors.
        beta_start: Pressure at the start.
        beta_end: Pressure at the end.
    """

    steps: np.ndarray
    betas: np.ndarray
    shares: np.ndarray
    factor_names: tuple[str, ...]
    beta_start: float
    beta_end: float

    @property
    def points(self):
        """Factor -> its freezing point.

        Infinite where it is known from the first reading on, `None` where it stays frozen.
        """
        columns = zip(self.factor_names, self.shares.T, strict=True)
        return {name: freezing_point(self.betas, shares) for name, shares in columns}

    @property
    def suggested(self):
        """The betas for DeVAE, a list in ascending order; empty if no point was measured."""
        points = [p for p in self.points.values() if p is not None and math.isfinite(p)]
        return suggest_betas(points, self.beta_end)

    def rows(self):
        """Returns a dictionary for each factor.

        Its keys are `factor`, `freezing_point` (`None` without), `state` and `final_share`.
        """
        states = {None: _BELOW, math.inf: _ABOVE}
        return [
            {
                "factor": name,
                "freezing_point": point if point is not None and math.isfinite(point) else None,
                "state": states.get(point, _MEASURED),
                "final_share": float(share),
            }
            for (name, point), share in zip(self.points.items(), self.shares[-1], strict=True)
        ]


def freezing_point(betas, shares, threshold=KNOWN_SHARE):
    """Finds the pressure at which a factor begins to be known.

    That is where its share crosses the threshold and is above it in the next reading too, so that
    one noisy reading does not count; the last reading stands for itself. Between readings it is
    found on a line over the logarithm of beta.

    Args:
        betas: `(t,)` falling pressures, above 0.
        shares: `(t,)` what is known of the factor then, as a share of its entropy.
        threshold: The share from which it counts as known; default 0.1.

    Returns:
        The pressure; infinity if the factor is known from the first reading on; `None` if it
        remains frozen.
    """
    known = np.asarray(shares) >= threshold
    lasting = known & np.append(known[1:], known[-1:])
    if not lasting.any():
        return None
    first = int(lasting.argmax())
    if first == 0:
        return math.inf
    log_betas = np.log(betas[first - 1 : first + 1])
    return float(np.exp(np.interp(threshold, shares[first - 1 : first + 1], log_betas)))


def suggest_betas(points, beta_end):
    """Suggests the pressures of DeVAE's layers from freezing points, see `RULE`.

    Args:
        points: Freezing points, in any order.
        beta_end: Pressure at the end of the test, below all of them.

    Returns:
        List of pressures in strictly ascending order, of two digits; empty if there are no points,
        or they leave no room for a pressure above `beta_end`.
    """
    falling = sorted(points, reverse=True)
    gaps = [
        math.sqrt(above * below)
        for above, below in itertools.pairwise(falling)
        if above > GROUP_FACTOR * below
    ]
    if not falling:
        return []
    behind = gaps or [JUST_UNDER * falling[-1]]
    betas = [_two_digits(beta) for beta in (beta_end, *reversed(behind))]
    # Layers under the same pressure would be one and the same.
    return betas if all(a < b for a, b in itertools.pairwise(betas)) else []


def _two_digits(value):
    return float(f"{value:.2g}")


def default_range(image_shape):
    """Returns the pressures at start and end for images of some shape.

    Reconstruction is a sum over pixels, so both go with their number: 200 and 1 for 64x64.
    """
    scale = image_shape[0] * image_shape[1] / 64**2
    return BETA_START * scale, BETA_END * scale


def annealing_config(steps, readings=50, **settings):
    """Makes the configuration of the test's run, but for its pressure.

    Args:
        steps: Steps from the first pressure to the last.
        readings: Times the information is read along the way, at least 2; default 50.
        **settings: Further attributes of `RunConfig`.

    Raises:
        UsageError: If a setting is out of range.
    """
    checks.at_least("steps", steps, 2)
    every = max(1, steps // checks.at_least("readings", readings, 2))
    tracking = {"track": ("sampled-information",), "track_every": every}
    return RunConfig(
        kind="annealing test", model="beta_vae", steps=steps, metrics=(), **tracking, **settings
    )


def with_falling_beta(config, dataset, beta_start=None, beta_end=None):
    """Returns the configuration with its pressure.

    Args:
        config: From `annealing_config`.
        dataset: The data set.
        beta_start: Pressure at the start, or `None`: see `default_range`.
        beta_end: Pressure at the end, or `None`.

    Raises:
        UsageError: If the data set has no factors, or the pressure does not fall.
    """
    if dataset.factor_names is None:
        raise UsageError(
            f"The annealing test reads the information of factors, and the data set "
            f"{dataset.name!r} has none."
        )
    start, end = default_range(dataset.image_shape)
    start = start if beta_start is None else checks.positive("beta_start", beta_start)
    end = end if beta_end is None else checks.positive("beta_end", beta_end)
    if end >= start:
        raise UsageError(f"`beta_end` must be below `beta_start`, {start:g}. Received: {end:g}.")
    beta = {
        "module": "keras_devae.schedules.functions",
        "class_name": "GeometricSchedule",
        "config": {"start": float(start), "end": float(end), "steps": config.training.steps},
        "registered_name": "keras_devae>GeometricSchedule",
    }
    return config.replace(model_options={"beta": beta})


def train_test(run: Run, progress: bool = True) -> AnnealingTest:
    """Trains under the falling pressure, and reads what was tracked.

    Args:
        run: The test's run.
        progress: Whether to show progress; default true.

    Raises:
        UsageError: If the run is not that of an annealing test.
    """
    _range_of(run.folder, run.config)
    run.train(progress)
    return read_test(run.folder)


def read_test(run):
    """Reads the annealing test of a run from what it tracked.

    Args:
        run: The `RunDirectory`.

    Returns:
        The `AnnealingTest`.

    Raises:
        UsageError: If the run is none of an annealing test.
        FailureError: If what it tracked is missing or damaged.
    """
    config = run.read_config()
    start, end = _range_of(run, config)
    steps, information, entropies, names = read_information_file(
        run.tracking / "sampled-information.npz", "What the annealing test measured is lost."
    )
    told, names = information.max(axis=1), names.tolist()
    # The first reading is of a model that is not trained at all.
    trained = steps > 0
    betas = start * (end / start) ** np.minimum(1, steps / config.training.steps)
    shares = told / entropies
    return AnnealingTest(steps[trained], betas[trained], shares[trained], tuple(names), start, end)


def _range_of(run, config):
    if config.kind != "annealing test":
        raise UsageError(
            f"The run {run.path} is none of an annealing test. Train one with: keras-devae "
            f"annealing-test --dataset {config.data.dataset}"
        )
    ends = config.model.options["beta"]["config"]
    return tuple(positive(f"{name} of the betas", ends.get(name)) for name in ("start", "end"))


def write_test(test, run):
    """Writes the figure, the curves and the suggestion into the run's folder.

    Args:
        test: The `AnnealingTest`.
        run: The `RunDirectory`.

    Returns:
        Dictionary of what was written where.
    """
    files = {
        "Figure": run.figures / "freezing.png",
        "Curves": run.path / "freezing.csv",
        "Points": run.freezing_file,
    }
    points = [row["freezing_point"] for row in test.rows()]
    draw = functools.partial(figures.freezing_curves, test.betas, test.shares, test.factor_names)
    figures.save(draw(points, test.suggested), files["Figure"])
    columns = zip(test.steps.tolist(), test.betas.tolist(), test.shares.tolist(), strict=True)
    curves = [
        {"step": step, "beta": beta, **dict(zip(test.factor_names, shares, strict=True))}
        for step, beta, shares in columns
    ]
    write_table(files["Curves"], curves)
    write_json(files["Points"], summary(test))
    return files


def summary(test):
    """Returns the points and the suggestion as a dictionary for machines."""
    return {
        "beta_start": test.beta_start,
        "beta_end": test.beta_end,
        "factors": test.rows(),
        "suggested_betas": test.suggested,
        "rule": RULE,
    }
