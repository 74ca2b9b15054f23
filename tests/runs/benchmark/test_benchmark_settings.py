"""Settings of a benchmark that make no sense are refused before anything is measured."""

import pytest

from keras_devae.errors import UsageError
from keras_devae.runs.benchmark import BenchmarkSettings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"backends": ("tensorflw",)}, "'tensorflow'"),
        ({"backends": ()}, "`backends`"),
        ({"model": "devea"}, "'devae'"),
        ({"model": "pca"}, "no training steps"),
        ({"precisions": ("float32",)}, "Known: bfloat16, float16, mixed, off"),
        ({"precisions": ()}, "`precisions`"),
        ({"batch_sizes": (64, 0)}, "`batch_size`"),
        ({"batch_sizes": ()}, "`batch_sizes`"),
        ({"seconds": 0.0}, "`seconds`"),
        ({"rounds": 0}, "`rounds`"),
        ({"steps_per_execution": 0}, "`steps_per_execution`"),
        ({"network": "mpl"}, "'mlp'"),
    ],
)
def test_what_is_wrong_is_named(settings, message):
    with pytest.raises(UsageError, match=message):
        BenchmarkSettings(**{"backends": ("tensorflow",), **settings})


def test_open_choices_stay_open_and_repetitions_go():
    settings = BenchmarkSettings(("jax", "jax"), batch_sizes=(64, 64, 2))
    assert settings.backends == ("jax",) and settings.batch_sizes == (64, 2)
    config = settings.run_config(2)
    assert (
        config.training.batch_size == 2
        and config.compute.steps_per_execution is config.compute.resident is None
    )
    given = BenchmarkSettings(("jax",), steps_per_execution=7, resident=True).run_config(64)
    assert given.compute.steps_per_execution == 7 and given.compute.resident is True
