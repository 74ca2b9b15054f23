import math

import numpy as np
import pytest
from known_latents import (
    COLUMNS,
    NAMES,
    POSTERIOR,
    ROWS,
    KnownModel,
    Shifted,
    collapsed,
    grid_dataset,
    kl_of,
    unlabelled_dataset,
)

from keras_devae import metrics
from keras_devae.data.own.arrays import ArrayDataset
from keras_devae.errors import UsageError
from keras_devae.evaluation.encoding import Encoding
from keras_devae.evaluation.latents import information_of_layers, measure_latents, measure_to_name
from keras_devae.evaluation.measured_latents import CATEGORY, Latents
from keras_devae.metrics import MetricWarning

KL = [kl_of(*posterior) for posterior in POSTERIOR]


def test_divergences_are_the_closed_form_and_order_the_dimensions():
    latents = measure_latents(KnownModel(), grid_dataset())
    np.testing.assert_allclose(latents.kl, KL, rtol=1e-6)
    assert latents.order.tolist() == [3, 1, 2, 0]
    # The third has (e^-0.5 - 0.5) / 2 = 0.05 nats, and the fourth carries nothing at all.
    assert latents.active.tolist() == [3, 1]
    assert latents.kl[0] == 0


def test_each_dimension_holds_its_factor_and_no_other():
    latents = measure_latents(KnownModel(), grid_dataset())
    assert latents.factor_names == NAMES
    np.testing.assert_allclose(latents.entropies, [math.log(COLUMNS), math.log(ROWS)])
    expected = np.zeros((4, 2))
    expected[3, 0] = expected[1, 1] = 1.0
    np.testing.assert_allclose(latents.shares, expected, atol=1e-9)
    names = [latents.name_of(d) for d in range(4)]
    assert names == ["z0", "z1 row", "z2", "z3 column"]
    assert latents.holders() == {"column": [3], "row": [1]}
    assert [latents.factor_of(d) for d in (0, 2)] == [None, None]


def test_ranges_are_quantiles_of_the_means():
    latents = measure_latents(KnownModel(), grid_dataset(repeats=10))
    np.testing.assert_allclose(latents.low, [0, -1.0, 0, -1.2], atol=1e-6)
    np.testing.assert_allclose(latents.high, [0, 1.0, 0, 1.2], atol=1e-6)


def test_of_two_dimensions_with_a_factor_the_better_one_is_its_first_holder():
    class Coarse(KnownModel):
        """Has what is left of the row when two values are one, in dimension 0."""

        def encoder_posterior(self, images, batch_size=256):
            means, log_vars = super().encoder_posterior(images, batch_size)
            means = means.copy()
            means[:, 0] = 5.0 * (images[:, 0, 1, 0] // 2)
            return means, log_vars

    latents = measure_latents(Coarse(), grid_dataset())
    assert latents.order[0] == 0
    assert latents.holders() == {"column": [3], "row": [1, 0]}
    # Values 0 1, 2 3 and 4: two fifths, two fifths and a fifth.
    expected = -(0.8 * math.log(0.4) + 0.2 * math.log(0.2))
    assert latents.information[0, 1] == pytest.approx(expected)


def test_a_dimension_that_is_not_active_holds_nothing():
    weak = ((0, 0.1, 0.0), (1, 2.0, -3.0))
    latents = measure_latents(KnownModel(posterior=weak), grid_dataset())
    assert latents.shares[0, 0] == pytest.approx(1.0)
    assert latents.name_of(0) == "z0" and latents.holders() == {"column": [], "row": [1]}


def test_a_collapsed_model_has_no_active_dimension():
    latents = measure_latents(collapsed(), grid_dataset())
    assert latents.kl.tolist() == [0] * 4 and latents.order.tolist() == [0, 1, 2, 3]
    assert latents.active.tolist() == [] and latents.information.max() == 0
    assert latents.holders() == {"column": [], "row": []}
    assert [latents.name_of(d) for d in latents.order] == ["z0", "z1", "z2", "z3"]


def test_a_shifted_dimension_is_idle_comes_after_the_active_ones_and_holds_nothing():
    latents = measure_latents(Shifted(), grid_dataset())
    assert latents.kl[0] == pytest.approx((1.95**2 + 0.135**2 + 0.026**2 - 1) / 2 - math.log(0.135))
    assert latents.signal[0] == pytest.approx(0.5 * math.log1p((0.026 / 0.135) ** 2), rel=1e-3)
    assert latents.kl.argmax() == 0 and latents.order.tolist() == [3, 1, 0, 2]
    assert latents.active.tolist() == [3, 1] and latents.idle.tolist() == [0]
    # Its means tell all of the column; the decoder hears hardly any of it.
    assert latents.shares[0, 0] == pytest.approx(1.0) and latents.name_of(0) == "z0"
    assert latents.holders() == {"column": [3], "row": [1]}
    sampled = measure_latents(Shifted(), grid_dataset(repeats=50), representation="sample")
    assert sampled.shares[0, 0] < 0.1 < 0.8 < sampled.shares[3, 0]


def test_best_shares_are_those_of_active_dimensions_or_of_samples():
    dead = ((0, 0.01, 0.0), (1, 2.0, -3.0))
    latents = measure_latents(KnownModel(posterior=dead), grid_dataset(repeats=20))
    np.testing.assert_allclose(latents.shares.max(axis=0), [1.0, 1.0], atol=1e-6)
    np.testing.assert_allclose(latents.best_shares, [0.0, 1.0], atol=1e-6)
    sampled = measure_latents(
        KnownModel(posterior=dead), grid_dataset(repeats=20), representation="sample"
    )
    np.testing.assert_array_equal(sampled.best_shares, sampled.shares.max(axis=0))


def test_information_of_samples_is_that_of_the_layers_before_chance_is_taken_off():
    model, dataset = KnownModel(), grid_dataset(repeats=20)
    measured = measure_latents(model, dataset, None, seed=3, representation="sample")
    information, _, _ = information_of_layers(model, dataset, seed=3)
    for latents, expected in zip(measured, information, strict=True):
        np.testing.assert_array_equal(latents.information, expected)
        assert latents.representation == "sample"
    assert measure_latents(model, dataset).representation == "mean"
    with pytest.raises(UsageError, match=r"Unknown representation 'means'.*'mean'"):
        measure_latents(model, dataset, representation="means")


def test_every_layer_is_measured_from_one_encoding():
    model = KnownModel()
    first, second = measure_latents(model, grid_dataset(), layer=None)
    assert (first.layer, second.layer) == (0, 1)
    assert model.encoded == COLUMNS * ROWS
    scaled = [
        kl_of(factor, 0.5 * scale, log_var + 2 * math.log(2))
        for factor, scale, log_var in POSTERIOR
    ]
    np.testing.assert_allclose(first.kl, KL, rtol=1e-6)
    np.testing.assert_allclose(second.kl, scaled, rtol=1e-5)
    # A scaling of the means tells no less of the factors.
    np.testing.assert_allclose(second.information, first.information)
    alone = measure_latents(model, grid_dataset(), layer=1)
    assert alone.layer == 1
    np.testing.assert_array_equal(alone.kl, second.kl)


def test_without_factors_there_are_numbers_only():
    latents = measure_latents(KnownModel(), unlabelled_dataset())
    np.testing.assert_allclose(latents.kl, KL, rtol=1e-6)
    assert latents.information.shape == (4, 0) and latents.factor_names == ()
    assert latents.name_of(3) == "z3" and latents.holders() == {}


def test_a_constant_factor_is_left_out_with_a_warning():
    dataset = grid_dataset(extra=(("color", 1),))
    with pytest.warns(MetricWarning, match="color"):
        latents = measure_latents(KnownModel(), dataset)
    assert latents.factor_names == NAMES
    assert latents.name_of(3) == "z3 column" and latents.information.shape == (4, 2)


def test_factors_of_which_none_varies_are_none():
    base = grid_dataset()
    same = ArrayDataset(base.images(range(20)), np.ones((20, 1), int), ("color",))
    latents = measure_latents(KnownModel(), same)
    assert latents.factor_names == () and latents.name_of(3) == "z3"
    with pytest.raises(UsageError, match=r"At least one factor must take two values.*color"):
        information_of_layers(KnownModel(), same)


def test_images_are_chosen_by_the_seed():
    dataset = grid_dataset(repeats=20)
    by_seed = [measure_latents(KnownModel(), dataset, images=50, seed=s).kl for s in (0, 0, 1)]
    np.testing.assert_array_equal(by_seed[0], by_seed[1])
    assert (by_seed[0] != by_seed[2]).any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layer": 2}, "layers 0 to 1. Received: 2"),
        ({"images": 1}, "`images` must be a whole number of at least 2"),
    ],
)
def test_wrong_use_is_refused_before_anything_is_encoded(options, message):
    model = KnownModel()
    with pytest.raises(UsageError, match=message):
        measure_latents(model, grid_dataset(), **options)
    assert model.encoded == 0


def test_layers_that_scale_mean_and_deviation_alike_pass_on_the_same():
    model = KnownModel(mean_scales=(1.0, 0.25), std_scales=(1.0, 0.25))
    information, entropies, names = information_of_layers(model, grid_dataset(repeats=20))
    assert names == NAMES and information.shape == (2, 4, 2)
    np.testing.assert_allclose(entropies, [math.log(COLUMNS), math.log(ROWS)])
    np.testing.assert_allclose(information[1], information[0], atol=2e-3)


def test_noise_takes_information_from_layer_to_layer():
    sharp = ((0, 1.0, -12.0), (1, 1.0, -12.0))
    model = KnownModel(posterior=sharp, mean_scales=(1, 1, 1), std_scales=(1, 300, 30_000))
    information, entropies, _ = information_of_layers(model, grid_dataset(repeats=100))
    first, second, third = (np.diag(layer) for layer in information)
    # Without noise to speak of, all of it; drowned in noise, the bias of the estimate.
    np.testing.assert_allclose(first, entropies)
    assert (second < 0.8 * first).all() and (third < 0.03).all() and (third < second / 5).all()


def test_information_of_samples_is_that_of_a_binary_channel_with_gaussian_noise():
    """Two values at -1 and 1 and noise of variance 1: 0.4859 bits, the capacity at 0 dB."""
    sign = np.tile([0, 1], 3000)
    images = np.zeros((6000, 8, 8, 1), np.uint8)
    images[:, 0, 0, 0] = sign + 1
    dataset = ArrayDataset(images, sign[:, None], ("sign",))
    model = KnownModel(posterior=((0, 2.0, 0.0),), mean_scales=(1.0,), std_scales=(1.0,))
    information, _, _ = information_of_layers(model, dataset)
    assert information[0, 0, 0] == pytest.approx(0.4859 * math.log(2), abs=0.025)


def test_information_of_layers_needs_factors():
    with pytest.raises(UsageError, match="has no factors"):
        information_of_layers(KnownModel(), unlabelled_dataset())
    with pytest.raises(UsageError, match="`images`"):
        information_of_layers(KnownModel(), grid_dataset(), images=1)


def test_noise_holds_no_factor_however_few_the_images():
    """Counts find information in noise; what they find by chance is not told of a latent."""
    rng = np.random.default_rng(3)
    factors = np.stack([rng.integers(0, 9, 64), rng.integers(0, 3, 64)], axis=1)
    codes = np.stack([rng.normal(size=64), factors[:, 1] + 0.01 * rng.normal(size=64)], axis=1)
    noise, known = (
        Latents(
            0,
            np.full(2, 3.0),
            np.full(2, 3.0),
            codes.min(0),
            codes.max(0),
            metrics.mutual_information_matrix(codes, values),
            metrics.mutual_information_matrix(codes, values[rng.permutation(64)]),
            metrics.entropy(values),
            ("column", "row"),
        )
        for values in (rng.permutation(factors), factors)
    )
    # Without the adjustment the noise would tell a third of the column.
    assert (noise.information / noise.entropies)[0, 0] > 0.3
    assert noise.shares.max() < 0.2
    assert known.shares[1, 1] == pytest.approx(1.0) and known.name_of(1) == "z1 row"


class Sorter(KnownModel):
    """Its categories are the rows, two and two: 0 1, 2 3 and 4. It has the column only."""

    num_categories = 3

    def __init__(self):
        super().__init__(posterior=((None, 0.0, 0.0), (0, 0.8, -3.0)))

    def encode_categories(self, images, batch_size=256):
        return images[:, 0, 1, 0].astype(np.int64) // 2


def test_a_category_can_hold_a_factor():
    dataset = grid_dataset(repeats=400)
    latents = measure_latents(Sorter(), dataset)
    assert latents.holders(with_category=True) == {"column": [1], "row": [CATEGORY]}
    assert latents.holders() == {"column": [1], "row": []}
    # Of the row, two fifths, two fifths and a fifth; of the column, nothing.
    expected = -(0.8 * math.log(0.4) + 0.2 * math.log(0.2)) / math.log(ROWS)
    assert latents.share_of(CATEGORY, "row") == pytest.approx(expected, abs=0.003)
    assert latents.share_of(CATEGORY, "column") < 0.003
    assert latents.share_of(1, "column") == pytest.approx(1.0)
    assert latents.share_of(1, "row") == latents.shares[1, 1]
    assert measure_latents(KnownModel(), dataset).category_shares is None
    assert measure_latents(Sorter(), unlabelled_dataset()).category_shares is None


def test_what_is_encoded_already_is_not_encoded_again():
    dataset = grid_dataset(repeats=3)
    encoding = Encoding(Sorter(), dataset)
    encoding.prepare(np.arange(len(dataset)))
    model = Sorter()
    before = measure_latents(model, dataset, encoding=encoding)
    assert model.encoded == 0
    after = measure_latents(model, dataset)
    np.testing.assert_array_equal(before.shares, after.shares)
    np.testing.assert_array_equal(before.category_shares, after.category_shares)


def test_factors_that_only_give_names_need_not_vary():
    """Warnings are errors here: none is due where nothing is missing."""
    named = measure_to_name(KnownModel(), grid_dataset(extra=(("color", 1),)))
    assert named.name_of(3) == "z3 column"


@pytest.mark.parametrize("images", [100, 5000])
def test_perfect_codes_keep_their_factors_and_noise_gets_none(images):
    """The factors of dSprites: 3 shapes, 6 scales, 40 orientations, 32 by 32 places."""
    sizes = (3, 6, 40, 32, 32)
    names = ("shape", "scale", "orientation", "x", "y")
    rng = np.random.default_rng(1)
    factors = np.stack([rng.integers(0, size, images) for size in sizes], axis=1)

    class Store(ArrayDataset):
        """Tells the model which rows are asked for: they do not fit in pixels."""

        def images(self, indices):
            asked.append(np.asarray(indices))
            return super().images(indices)

    class Perfect(KnownModel):
        """Five dimensions with a factor each, and five with noise."""

        def encoder_posterior(self, images, batch_size=256):
            codes = np.concatenate([factors / np.array(sizes), noise], axis=1)[asked[-1]]
            return (10 * codes).astype(np.float32), np.full(codes.shape, -3.0, np.float32)

    asked, noise = [], rng.normal(size=(images, 5))
    store = Store(np.zeros((images, 8, 8, 1), np.uint8), factors, names)
    latents = measure_latents(Perfect(posterior=POSTERIOR), store)
    assert [latents.factor_of(d) for d in range(5)] == list(names)
    # Shares are 1 where the bins keep all values apart.
    np.testing.assert_allclose(np.diag(latents.shares)[:2], 1.0)
    finer, noisy = np.diag(latents.shares)[2:], latents.shares[5:].max()
    if images == 100:
        assert finer.min() > 0.6 and noisy < 0.3
        return
    # Twenty bins keep about log 20 nats.
    np.testing.assert_allclose(finer, np.log(20) / np.log(sizes[2:]), atol=0.03)
    assert noisy < 0.01 and [latents.factor_of(d) for d in range(5, 10)] == [None] * 5
