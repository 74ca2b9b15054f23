"""The algebra of sweeps against itertools, and against lists written by hand."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_devae.errors import UsageError
from keras_devae.studies import expand

VALUES = st.lists(st.integers() | st.text(max_size=3) | st.lists(st.integers()), min_size=1)
NAMES = st.sampled_from(["seed", "beta", "model", "steps", "dataset"])
TABLES = st.dictionaries(NAMES, VALUES.filter(lambda v: len(v) < 5), min_size=1, max_size=4)


@given(TABLES)
def test_a_product_has_every_combination_the_first_slowest(table):
    expected = [
        dict(zip(table, values, strict=True)) for values in itertools.product(*table.values())
    ]
    assert expand({"product": table}) == expected


@given(TABLES, st.integers(1, 4))
def test_a_zip_goes_through_its_lists_together(table, length):
    table = {name: (values * length)[:length] for name, values in table.items()}
    expected = [{name: values[i] for name, values in table.items()} for i in range(length)]
    assert expand({"zip": table}) == expected


@given(st.lists(TABLES, min_size=1, max_size=3))
def test_a_list_holds_the_runs_of_its_nodes_one_after_the_other(tables):
    nodes = [{"product": table} for table in tables]
    assert expand({"list": nodes}) == [run for node in nodes for run in expand(node)]


def test_a_sweep_of_nothing_is_one_run():
    assert expand({}) == [{}]
    assert expand({"model": "vae", "betas": [1, 10]}) == [{"model": "vae", "betas": [1, 10]}]


def test_models_by_data_sets_by_seeds_with_options_of_one_model():
    sweep = {
        "product": {"dataset": ["dsprites", "shapes3d"], "seed": [0, 1]},
        "list": [
            {"model": "devae", "betas": [1, 10]},
            {"model": "beta_vae", "product": {"beta": [4, 8]}},
        ],
    }
    models = [
        {"model": "devae", "betas": [1, 10]},
        {"model": "beta_vae", "beta": 4},
        {"model": "beta_vae", "beta": 8},
    ]
    assert expand(sweep) == [
        {"dataset": dataset, "seed": seed, **model}
        for dataset in ("dsprites", "shapes3d")
        for seed in (0, 1)
        for model in models
    ]


def test_operators_nest():
    sweep = {
        "zip": [
            {"list": [{"model": "vae"}, {"model": "deft"}]},
            {"product": {"steps": [10, 20]}},
        ],
        "product": [{"product": {"seed": [0, 1]}}, {"latent_dim": 5}],
    }
    assert expand(sweep) == [
        {"seed": 0, "latent_dim": 5, "model": "vae", "steps": 10},
        {"seed": 0, "latent_dim": 5, "model": "deft", "steps": 20},
        {"seed": 1, "latent_dim": 5, "model": "vae", "steps": 10},
        {"seed": 1, "latent_dim": 5, "model": "deft", "steps": 20},
    ]


@pytest.mark.parametrize(
    ("sweep", "message"),
    [
        ([], "`sweep` must be a table"),
        ({"product": {}}, "`sweep.product` must be a table"),
        ({"product": 3}, "`sweep.product` must be a table"),
        ({"product": {"seed": 3}}, "`sweep.product.seed` must be a list"),
        ({"product": {"seed": []}}, "`sweep.product.seed` must be a list"),
        ({"product": {"zip": [1]}}, "the operator 'zip'"),
        ({"zip": {"seed": [1, 2], "beta": [1]}}, "lengths: 2, 1"),
        ({"list": {"seed": [1]}}, "`sweep.list` must be a list"),
        ({"list": []}, "`sweep.list` must be a list"),
        ({"list": [{"product": {"seed": 1}}]}, r"`sweep.list\[0\].product.seed`"),
        ({"seed": 1, "product": {"seed": [1, 2]}}, "sets `seed` more than once"),
        ({"product": [{"seed": 1}, {"seed": 2}]}, "to 1 and to 2"),
    ],
)
def test_what_is_no_sweep_is_named(sweep, message):
    with pytest.raises(UsageError, match=message):
        expand(sweep)
