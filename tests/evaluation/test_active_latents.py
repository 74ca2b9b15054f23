"""One definition of an active latent: all that count or show them agree."""

import numpy as np
import pytest
from drawn import tick_texts
from known_latents import KnownModel, Shifted, grid_dataset

from keras_devae import metrics
from keras_devae.callbacks import KLCallback
from keras_devae.evaluation.latents import measure_latents
from keras_devae.explorer.session import Session
from keras_devae.figures.of_models import information_map_figure, traversal_figure

SCALED = ((0, 1e-3, 2 * np.log(1e-4)), (1, 1e-3, 2 * np.log(1e-1)), (None, 0.0, 0.0))


@pytest.mark.filterwarnings("ignore:.*codes are constant")
@pytest.mark.parametrize(
    ("model", "active"),
    [
        (KnownModel(), [3, 1]),
        # z0 has the largest KL divergence of all, and tells nothing.
        (Shifted(), [3, 1]),
        # A code of thousandths is active by its own noise, and not by others'.
        (KnownModel(posterior=SCALED), [0]),
    ],
)
def test_all_agree_on_what_is_active(model, active):
    dataset = grid_dataset(repeats=2)
    assert measure_latents(model, dataset).active.tolist() == active
    scores = metrics.active_variables(*model.posterior(dataset.images(range(len(dataset)))))
    assert scores["details"]["active"] == sorted(active)
    assert scores["active_variables.count"] == len(active)
    (row,) = KLCallback(dataset).measure(model, 0)
    assert row["active_units"] == len(active)
    session = Session(model, dataset)
    assert [s.dimension for s in session.sliders(0) if s.active] == active
    assert session.sliders(0)[0].dimension == active[0]
    for figure in (
        traversal_figure(model, dataset, steps=2, active_only=True),
        information_map_figure(model, dataset, layer=0),
    ):
        labels = tick_texts(figure.axes[0].yaxis)
        assert [label.split()[0] for label in labels] == [f"z{d}" for d in active]
