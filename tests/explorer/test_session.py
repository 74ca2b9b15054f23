import numpy as np
import pytest

from keras_devae.data import from_arrays
from keras_devae.errors import UsageError
from keras_devae.explorer import session as session_module
from keras_devae.explorer.session import Session
from keras_devae.figures.mosaics import to_rgb

# Row 3 * a + b has the grey levels 50 * a and 100 * b.
ROW = 10


def test_sliders_are_ordered_and_named(painter):
    session = painter()
    assert [slider.name for slider in session.sliders(0)] == ["z2 left", "z0 right", "z1", "z3"]
    assert [slider.active for slider in session.sliders(0)] == [True, True, False, False]
    # (mean square + variance - 1 - log variance) / 2, where the means are -2, -1, 0, 1, 2.
    expected = (2 + 0.01 - 1 - np.log(0.01)) / 2
    assert session.sliders(0)[0].remark == f"KL {expected:.2f} nats, 100% of left"
    assert session.sliders(0)[3].remark == "KL 0.00 nats"
    assert session.summary(0).startswith("2 of 4 latents are active")
    assert "sliders" not in session.summary(0)


def test_a_layer_has_an_order_and_names_of_its_own(painter):
    session = painter()
    assert [slider.name for slider in session.sliders(1)] == ["z0 right", "z2", "z1", "z3"]
    assert [slider.active for slider in session.sliders(1)] == [True, False, False, False]
    assert session.summary(1).startswith("1 of 4 latents is active")


def test_an_image_is_where_the_sliders_begin(painter, picture):
    start = painter().code_of(ROW)
    np.testing.assert_array_equal(start.image, picture(150, 100))
    np.testing.assert_allclose(start.code, [0, 0, 1, 0])
    assert start.category is None
    assert painter().code_of(ROW, 1).code[2] == pytest.approx(0.1)
    assert painter().factors_of(ROW) == {"left": 3, "right": 1}


@pytest.mark.parametrize(
    ("values", "left", "right"),
    [([], 150, 100), ([2.0], 200, 100), ([1.0, 1.0], 150, 200), ([-2, -1, 0, 3], 0, 0)],
)
def test_a_slider_moves_its_own_dimension_only(painter, picture, values, left, right):
    session = painter()
    np.testing.assert_array_equal(session.decode(ROW, 0, values), picture(left, right))
    np.testing.assert_array_equal(session.code_of(ROW).image, picture(150, 100))
    # What was moved before is forgotten.
    np.testing.assert_array_equal(session.decode(ROW, 0, []), picture(150, 100))


def test_each_layer_is_decoded_from_its_own_code(painter, picture):
    session = painter()
    np.testing.assert_array_equal(session.decode(ROW, 1, []), picture(150, 100))
    np.testing.assert_array_equal(session.decode(ROW, 1, [0.0, 0.2]), picture(200, 100))
    np.testing.assert_array_equal(session.decode(ROW, 0, [0.2]), picture(110, 100))


def test_means_beyond_black_and_white_are_clipped(painter, picture):
    np.testing.assert_array_equal(painter().decode(ROW, 0, [-9.0, 9.0]), picture(0, 255))


def test_without_factors_sliders_have_numbers_only(painter, picture):
    session = painter(with_factors=False)
    assert [slider.name for slider in session.sliders(0)] == ["z2", "z0", "z1", "z3"]
    assert session.factors_of(ROW) == {}
    np.testing.assert_array_equal(session.decode(ROW, 0, [2.0]), picture(200, 100))


def test_a_factor_that_does_not_vary_is_no_name_and_no_complaint(painter, picture):
    """Warnings are errors here."""
    lefts = np.arange(20) % 5
    images = np.stack([picture(50 * left, 0)[..., :1] for left in lefts])
    factors = np.stack([lefts, np.zeros(20, int)], axis=1)
    session = Session(painter().model, from_arrays(images, factors, ("left", "right")))
    assert session.sliders(0)[0].name == "z2 left"


def test_a_category_is_that_of_the_image_or_chosen(painter, picture):
    session = painter(with_categories=True)
    assert session.num_categories == 2
    assert session.code_of(ROW).category == 1 and session.code_of(1).category == 0
    np.testing.assert_array_equal(session.decode(1, 0, []), picture(0, 100))
    np.testing.assert_array_equal(session.decode(1, 0, [], 1), picture(255, 155))
    np.testing.assert_array_equal(session.decode(ROW, 0, []), picture(105, 155))
    np.testing.assert_array_equal(session.decode(ROW, 0, [2.0], 0), picture(200, 100))


def test_beyond_the_most_sliders_the_image_keeps_its_code(painter, picture, monkeypatch):
    monkeypatch.setattr(session_module, "MOST_SLIDERS", 1)
    session = painter()
    assert [slider.name for slider in session.sliders(0)] == ["z2 left"]
    assert session.summary(0).endswith("1 of them have sliders, the active ones first.")
    np.testing.assert_array_equal(session.decode(ROW, 0, [2.0]), picture(200, 100))


def test_random_images_follow_the_seed(painter):
    first, second = ([s.random_row() for _ in range(20)] for s in (painter(), painter()))
    assert first == second and set(first) <= set(range(15)) and len(set(first)) > 3


def test_what_there_is_not_is_refused(painter):
    with pytest.raises(UsageError):
        painter().code_of(15)


BAD_NUMBERS = [float("nan"), float("inf"), -float("inf"), 1e39, 10**400, "1", None, True, [1.0], {}]


@pytest.mark.parametrize("value", BAD_NUMBERS, ids=lambda value: str(value)[:9])
def test_a_slider_takes_finite_numbers_only(painter, value):
    for values in ([value], [0.0, value]):
        with pytest.raises(UsageError, match="must be a finite number"):
            painter().decode(ROW, 0, values)


@pytest.mark.parametrize("number", [None, -1, 2, 99, "0", True, 0.0, float("nan"), [], 10**400])
def test_what_is_no_layer_or_category_is_refused(painter, number):
    session = painter()
    for call in (session.code_of, lambda row, layer: session.decode(row, layer, [])):
        with pytest.raises(UsageError):
            call(ROW, number)
    for call in (session.sliders, session.summary):
        with pytest.raises(UsageError):
            call(number)
    if number is not None:
        with pytest.raises(UsageError):
            painter(with_categories=True).decode(ROW, 0, [], number)


@pytest.mark.parametrize("row", [None, -1, 15, "3", True, 1.0, 10**30])
def test_what_is_no_row_is_refused(painter, row):
    with pytest.raises(UsageError):
        painter().code_of(row)


def test_more_values_than_sliders_are_refused(painter, monkeypatch):
    with pytest.raises(UsageError, match="There are 4 sliders"):
        painter().decode(ROW, 0, [0.0] * 5)
    monkeypatch.setattr(session_module, "MOST_SLIDERS", 2)
    with pytest.raises(UsageError, match="There are 2 sliders"):
        painter().decode(ROW, 0, [0.0] * 3)


def test_an_image_that_is_not_finite_is_refused(painter, monkeypatch):
    session = painter()
    monkeypatch.setattr(session.model, "decode", lambda codes, layer: np.full((1, 4, 4, 1), np.nan))
    with pytest.raises(UsageError, match="makes no finite image"):
        session.decode(ROW, 0, [])


def test_sliders_reach_three_deviations_or_the_value(painter, monkeypatch):
    session = painter()
    assert session.ends_of(0, 0, 0.5) == session.ends_of(0, 0, -3.0) == (-3, 3)
    assert session.ends_of(0, 0, -4.2) == (-5, 5)
    monkeypatch.setattr(session.model, "code_range", (0.0, 1.0))
    assert session.ends_of(0, 0, 0.5) == (0, 1)
    assert session.ends_of(0, 0, 1.5) == (0, 1.5)


@pytest.mark.backends
@pytest.mark.parametrize(
    ("method", "layers", "channels"),
    [("devae", 3, 3), ("joint_vae", 1, 1), ("pca", 1, 1), ("vae", 1, 4)],
)
def test_models_reconstruct_an_image_from_where_the_sliders_begin(
    tiny, blobs, method, layers, channels
):
    images = blobs(32, (8, 8, channels))
    model = tiny(method, image_shape=(8, 8, channels))
    if method == "pca":
        model.fit(images)
    session = Session(model, from_arrays(images))
    assert session.num_layers == layers
    for layer in range(layers):
        values = [session.code_of(5, layer).code[s.dimension] for s in session.sliders(layer)]
        expected = to_rgb(model.reconstruct(images[5:6], layer))[0]
        found = session.decode(5, layer, values)
        # The sliders begin at two decimals.
        np.testing.assert_allclose(found.astype(int), expected, atol=3)
