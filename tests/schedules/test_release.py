import keras
import numpy as np
import pytest
from keras import ops

from keras_devae.schedules import StageSchedule, released_pressures

pytestmark = pytest.mark.backends


def test_masks_of_other_code(schedule_oracle):
    for row in schedule_oracle("schedules")["cascade_vae_c"]:
        stage = StageSchedule(row["stage_steps"], row["num_latent"])(row["step"])
        got = released_pressures(stage + 1, row["num_latent"], row["beta_min"], row["beta_max"])
        assert keras.backend.standardize_dtype(got.dtype) == "float32"
        np.testing.assert_allclose(
            ops.convert_to_numpy(got), row["beta_per_latent"], rtol=1e-7, err_msg=str(row)
        )


@pytest.mark.parametrize(
    ("released", "expected"), [(0, [8, 8, 8]), (2, [0.5, 0.5, 8]), (3, [0.5] * 3), (7, [0.5] * 3)]
)
def test_none_some_and_more_than_all(released, expected):
    for number in (released, ops.convert_to_tensor(released, "int32")):
        got = ops.convert_to_numpy(released_pressures(number, 3, 0.5, 8))
        np.testing.assert_array_equal(got, expected)
