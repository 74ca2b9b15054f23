"""Keras metrics score what they have gathered as the functions do, also in compiled steps."""

import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_devae as kd
from keras_devae.errors import UsageError
from keras_devae.metrics import METRICS

pytestmark = pytest.mark.backends


@pytest.fixture(scope="module")
def labelled():
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 4, (600, 2))
    codes = factors @ [[1.0, 0.5, 0], [0.2, 1, 0]] + rng.normal(0, 0.3, (600, 3))
    return codes.astype("float32"), factors


def test_batches_score_as_all_rows_do(labelled):
    codes, factors = labelled
    metric = kd.metrics.keras.MIG(bins=10)
    assert float(metric.result()) == 0
    for start in range(0, 600, 70):
        part = slice(start, start + 70)
        metric.update_state(codes[part], factors[part])
    expected = kd.metrics.mig(codes, factors, bins=10)["mig.score"]
    assert float(metric.result()) == pytest.approx(expected, abs=1e-6)
    metric.reset_state()
    assert float(metric.result()) == 0
    metric.update_state(codes, np.zeros_like(factors))
    assert float(metric.result()) == 0


def test_an_empty_batch_changes_nothing(labelled):
    codes, factors = labelled
    metric = kd.metrics.keras.MIG(bins=10)
    metric.update_state(codes[:0], factors[:0])
    assert float(metric.result()) == 0
    metric.update_state(codes, factors)
    metric.update_state(codes[:0], factors[:0])
    expected = kd.metrics.mig(codes, factors, bins=10)["mig.score"]
    assert float(metric.result()) == pytest.approx(expected, abs=1e-6)


def test_an_unknown_option_is_refused_with_all_known_ones():
    with pytest.raises(UsageError, match=r"factors_first, continuous, .*bins.* Received: bin\."):
        kd.metrics.keras.MIG(bin=3)
    with pytest.raises(UsageError) as refused:
        kd.metrics.keras.InfoMEC(bin=3)
    assert "continuous" not in str(refused.value)


@pytest.mark.filterwarnings("ignore::keras_devae.metrics.MetricWarning")
def test_the_first_rows_are_kept(labelled):
    codes, factors = labelled
    metric = kd.metrics.keras.SAP(max_rows=250)
    for start in (0, 100, 200, 300):
        metric.update_state(codes[start : start + 100], factors[start : start + 100])
    expected = kd.metrics.sap(codes[:250], factors[:250])["sap.score"]
    assert float(metric.result()) == pytest.approx(expected, abs=1e-6)
    continuous = kd.metrics.keras.SAP(continuous=[0, 1])
    continuous.update_state(codes[:, :2], factors + 0.25)
    expected = kd.metrics.sap(codes[:, :2], factors, continuous_factors=True)["sap.score"]
    assert float(continuous.result()) == pytest.approx(expected, abs=1e-6)


def test_it_is_a_metric_of_a_compiled_model(labelled):
    codes, factors = labelled
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Identity()])
    metric = kd.metrics.keras.MIG(factors_first=True)
    model.compile(
        loss=lambda wanted, found: 0.0 * keras.ops.sum(found, axis=-1),
        metrics=[metric],
        jit_compile=False,
    )
    found = model.evaluate(codes, factors, batch_size=128, verbose=0, return_dict=True)
    assert found["mig"] == pytest.approx(kd.metrics.mig(codes, factors)["mig.score"], abs=1e-6)


def test_each_metric_of_codes_and_factors_has_its_class():
    classes = [getattr(kd.metrics.keras, name) for name in kd.metrics.keras.__all__]
    named = {one.metric for one in classes if one.metric}
    assert named == {
        name
        for name, metric in METRICS.items()
        if metric.needs_factors and not metric.needs_posterior
    }


def test_a_metric_is_made_again_from_its_configuration():
    metric = kd.metrics.keras.DCI("c", number="completeness", max_rows=50, predictor="lightgbm")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert again.get_config() == metric.get_config() and again.name == "c"


def test_wrong_arguments_and_shapes_are_refused(labelled):
    codes, factors = labelled
    own = kd.metrics.keras
    with pytest.raises(UsageError, match=r"MIG takes .* the options bins, .* Received: bims"):
        own.MIG(bims=3)
    with pytest.raises(UsageError, match="Unknown number of mig 'scores'"):
        own.MIG(number="scores")
    with pytest.raises(UsageError, match="MED counts"):
        own.MED(continuous=[0])
    metric = own.MIG()
    with pytest.raises(UsageError, match="one row for each sample"):
        metric.update_state(codes, factors[:-1])
    metric.update_state(codes, factors)
    with pytest.raises(UsageError, match=r"3 codes and 2 factors. Received: 2 and 2"):
        metric.update_state(codes[:, :2], factors)
    with pytest.raises(UsageError, match="no weights"):
        metric.update_state(codes, factors, sample_weight=np.ones(600))


def test_importing_the_metrics_does_not_import_keras():
    code = "import sys, keras_devae.metrics; assert 'keras' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
