"""Which of many models to take: by how far they agree."""

import json
import weakref

import numpy as np
import pytest

from keras_devae import metrics
from keras_devae.comparison import model_selection
from keras_devae.comparison.comparing import compare_runs
from keras_devae.comparison.model_selection import select_by_udr
from keras_devae.comparison.tables import (
    selection_cells,
    selection_dict,
    shown_metrics,
)
from keras_devae.errors import UsageError
from keras_devae.runs import RunConfig, RunDirectory
from keras_devae.runs.config.run_config import load_dataset
from keras_devae.runs.trained_model import load_trained

pytestmark = pytest.mark.backends


@pytest.fixture(scope="module")
def runs(tmp_path_factory, tiny, blobs):
    """Seed 0 and seed 2 have the same latents in another order and sign, seed 1 has others."""
    folder = tmp_path_factory.mktemp("runs")
    np.savez(folder / "images.npz", images=blobs(200))
    like, turned, odd = (tiny("beta_vae", latent_dim=4) for _ in range(3))
    for model in (like, turned):
        model.set_weights(like.get_weights())
    for values in turned.encoder.get_layer("z_mean").variables:
        values.assign(np.asarray(values)[..., [2, 0, 3, 1]] * np.array([-1, 1, -1, 1]))
    rng = np.random.default_rng(0)
    kernel = odd.encoder.get_layer("z_mean").kernel
    kernel.assign(rng.normal(0, 1, kernel.shape))
    for seed, model in enumerate((like, odd, turned)):
        save(folder / f"seed{seed}", model, folder / "images.npz", seed)
    return folder


def save(path, model, images, seed, **settings):
    """Makes the folder of a finished run of a model."""
    run = RunDirectory(path)
    run.path.mkdir()
    settings = {"model": "beta_vae", "latent_dim": 4, "seed": seed, **settings}
    config = RunConfig(dataset=f"npz:{images}", **settings)
    run.write_record(config, load_dataset(config).provenance, {})
    run.write_metrics({"layers": [{"layer": 0, "mig.score": 0.1 * seed}]})
    model.save(run.model_file)


@pytest.fixture(scope="module")
def watched():
    """What happened in `selection`: reports of progress, and models there were at each load."""
    return {"reports": [], "models": []}


@pytest.fixture(scope="module")
def selection(runs, watched):
    loaded = weakref.WeakSet()

    def load(directory):
        watched["models"].append(len(loaded))
        model = load_trained(directory)
        loaded.add(model)
        return model

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model_selection, "load_trained", load)
        return select_by_udr(
            compare_runs([runs]),
            images=150,
            progress=lambda *report: watched["reports"].append(report),
        )


@pytest.mark.thorough
def test_one_model_is_in_memory_at_a_time(selection, watched):
    assert watched["models"] == [0, 0, 0]


@pytest.mark.thorough
def test_the_model_that_agrees_with_no_other_ranks_last(selection):
    *agreeing, odd = selection.ranking
    assert {ranked.run.name for ranked in agreeing} == {"seed0", "seed2"}
    assert (odd.run.name, odd.rank, odd.group) == ("seed1", 3, "beta_vae")
    assert odd.udr < agreeing[0].udr - 0.05
    assert selection.common and selection.best[0] is selection.ranking[0]
    assert all(ranked.udr == pytest.approx(agreeing[0].udr) for ranked in selection.best)


def test_scores_are_those_of_the_metric(runs, selection):
    import keras

    rows = np.random.default_rng(0).choice(200, 150, replace=False)
    with np.load(runs / "images.npz") as file:
        images = file["images"][rows]
    models = [keras.models.load_model(runs / f"seed{seed}" / "model.keras") for seed in range(3)]
    codes, log_vars = zip(*(model.posterior(images) for model in models), strict=True)
    kl = [metrics.kl_per_dimension(*pair) for pair in zip(codes, log_vars, strict=True)]
    expected = metrics.udr(codes, kl)["details"]["model_scores"]
    found = {ranked.run.seed: ranked.udr for ranked in selection.ranking}
    np.testing.assert_allclose([found[seed] for seed in range(3)], expected, atol=1e-4)


def test_each_image_is_encoded_once(runs, watched, selection):
    assert watched["reports"] == [(f"seed{seed}", 150, 150) for seed in range(3)]
    reports = []
    again = select_by_udr(
        compare_runs([runs]), images=150, progress=lambda *report: reports.append(report)
    )
    assert reports == [] and [r.udr for r in again.ranking] == [r.udr for r in selection.ranking]


def test_scores_with_factors_stand_beside(runs, selection):
    found = shown_metrics(compare_runs([runs]))
    titles, rows = selection_cells(selection, found)
    assert titles == ["rank", "run", "group", "seed", "udr", "mig"]
    assert rows[-1][:4] == ["3", "seed1", "beta_vae", "1"] and rows[-1][-1] == "0.100"
    told = json.loads(json.dumps(selection_dict(selection, found)))
    assert told["take"][0] == str(runs / told["ranking"][0]["run"])
    assert told["ranking"][2]["run"] == "seed1"


@pytest.mark.thorough
def test_groups_of_other_images_are_ranked_one_by_one(runs, tmp_path, tiny, blobs):
    images = tmp_path / "other.npz"
    np.savez(images, images=blobs(50, seed=1))
    for seed in range(2):
        save(tmp_path / f"other{seed}", tiny("beta_vae", seed=seed), images, seed, latent_dim=3)
    save(tmp_path / "lone", tiny("beta_vae"), images, 7, latent_dim=5)
    found = select_by_udr(compare_runs([runs, tmp_path]), images=150)
    assert not found.common and len({ranked.group for ranked in found.best}) == 2
    pairs = [ranked for ranked in found.ranking if ranked.run.name.startswith("other")]
    assert [ranked.rank for ranked in pairs] == [1, 1]
    single, pair, apart = found.remarks
    assert "latent_dim=5" in single and "cannot be ranked" in pair and "ranked separately" in apart
    with pytest.raises(UsageError, match="made with different images"):
        select_by_udr(compare_runs([runs, tmp_path], by=["model"]))


def test_one_model_agrees_with_nobody(runs):
    with pytest.raises(
        UsageError, match=r"two or more of each\. Received: one run each of beta_vae"
    ):
        select_by_udr(compare_runs([runs / "seed0"]))
    with pytest.raises(UsageError, match="`images` must be"):
        select_by_udr(compare_runs([runs]), images=1)
