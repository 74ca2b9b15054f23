"""HFVAE: the divergence from the prior decomposed by groups of latents."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_devae.errors import UsageError

pytestmark = pytest.mark.backends

WEIGHTS = {
    "within_group_weight": 0.5,
    "dimension_wise_weight": 2.0,
    "mutual_information_weight": 3.0,
    "between_group_weight": 5.0,
}


def terms_of(model, batch):
    """The terms of the published batch, whose reconstruction plays no part."""
    pixels = ops.zeros((8, 8, 8, 1))
    names = {"z": "z", "z_mean": "mu", "z_log_var": "logvar"}
    outputs = {name: np.float32(batch[key]) for name, key in names.items()}
    return model.loss_terms(pixels, {**outputs, "decoded": pixels}, training=True)


def values_of(terms):
    return {name: float(value) for name, (_, value) in terms.penalties.items()}


def penalty(terms):
    return float(terms.total) - float(ops.sum(terms.reconstruction))


@pytest.mark.parametrize("row", range(6))
def test_terms_of_the_authors_code(oracle, tiny, row):
    batch = oracle("latent_batch")
    case = batch["groups"][row]
    size, groups = case["dataset_size"], len(case["group_sizes"])
    model = tiny(
        "hf_vae", latent_dim=4, dataset_size=size, group_sizes=case["group_sizes"], **WEIGHTS
    )
    # That code leaves this factor, 8 being the batch, out of every density of the codes.
    factor = np.log(8 * (size - 1) / (size * 7))
    expected = {
        "within_group_total_correlation": case["within_groups"] + (groups - 4) * factor,
        "dimension_wise_kl": case["dimension_wise_kl"] + 4 * factor,
        "mutual_information": case["mutual_information"] - factor,
        "between_group_total_correlation": case["between_groups"] + (1 - groups) * factor,
    }
    terms = terms_of(model, batch)
    assert values_of(terms) == pytest.approx(expected, rel=1e-5, abs=5e-5)
    whole = np.dot(list(WEIGHTS.values()), list(expected.values()))
    assert penalty(terms) == pytest.approx(whole, rel=1e-4)
    # Beside them stands the closed form.
    assert float(terms.total_kl) == pytest.approx(batch["kl_total"], rel=1e-5)


@pytest.mark.parametrize("estimator", ["bias_corrected", "weighted", "stratified"])
@pytest.mark.parametrize(
    ("groups", "weight_of_beta"),
    [({"num_groups": 1}, "within_group_weight"), ({"num_groups": 4}, "between_group_weight")],
)
def test_one_group_and_single_latents_are_beta_tc_vae(
    oracle, tiny, estimator, groups, weight_of_beta
):
    batch = oracle("latent_batch")
    same = {"latent_dim": 4, "dataset_size": 100, "estimator": estimator}
    beta_tc_vae = tiny("beta_tc_vae", alpha=3, beta=6, gamma=2, **same)
    weights = {**WEIGHTS, weight_of_beta: 6}
    hf_vae = tiny("hf_vae", **same, **groups, **weights)
    assert penalty(terms_of(hf_vae, batch)) == pytest.approx(
        penalty(terms_of(beta_tc_vae, batch)), rel=1e-5
    )


def test_unweighted_terms_are_the_sampled_divergence(oracle, tiny):
    batch = oracle("latent_batch")
    model = tiny("hf_vae", latent_dim=4, dataset_size=100)
    z, mean, log_var = (np.float64(batch[key]) for key in ("z", "mu", "logvar"))
    density = -0.5 * ((z - mean) ** 2 / np.exp(log_var) + log_var)
    sampled = (density + 0.5 * z**2).sum(axis=1).mean()
    assert penalty(terms_of(model, batch)) == pytest.approx(sampled, rel=1e-5)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, (2, 1)),
        ({"latent_dim": 1}, (1,)),
        ({"latent_dim": 10}, (5, 5)),
        ({"num_groups": 3}, (1, 1, 1)),
        ({"latent_dim": 7, "num_groups": 3}, (3, 2, 2)),
        ({"group_sizes": [1, 2]}, (1, 2)),
        ({"group_sizes": [1, 2], "num_groups": 2}, (1, 2)),
    ],
)
def test_sizes_of_groups(tiny, options, expected):
    assert tiny("hf_vae", **options).sizes_of_groups == expected


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"group_sizes": [2, 2]},
            "must add up to the number of latent dimensions, 3. Received: 2, 2",
        ),
        ({"group_sizes": []}, "number of latent dimensions, 3. Received: none"),
        ({"group_sizes": [3, 0]}, "`group_sizes` must be a whole number of at least 1"),
        ({"num_groups": 4}, "`num_groups` must be at most the number of latent dimensions, 3"),
        ({"num_groups": 0}, "`num_groups` must be a whole number of at least 1"),
        ({"num_groups": 3, "group_sizes": [1, 2]}, "leave `num_groups` out. Received: 2 sizes"),
    ],
)
def test_groups_that_do_not_fit(tiny, options, sentence):
    with pytest.raises(UsageError, match=sentence):
        tiny("hf_vae", **options)


def test_the_number_of_images_is_counted_and_saved(tiny, blobs, tmp_path):
    model = tiny("hf_vae")
    model.fit(blobs(24), batch_size=8, verbose=0)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert float(ops.convert_to_numpy(loaded.number_of_images)) == 24
