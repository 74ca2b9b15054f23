"""Figures of a model whose latents are known: what is drawn, where, and under which name."""

import numpy as np
import pytest
from drawn import tick_texts
from known_latents import (
    COLUMNS,
    NAMES,
    POSTERIOR,
    ROWS,
    SIDE,
    KnownModel,
    bars,
    centred,
    collapsed,
    grid_dataset,
    kl_of,
    unlabelled_dataset,
)
from matplotlib.collections import PathCollection, QuadMesh
from scipy.stats import norm

from keras_devae import figures
from keras_devae.data.own.arrays import ArrayDataset
from keras_devae.errors import UsageError
from keras_devae.evaluation.function_encoder import BATCH
from keras_devae.evaluation.latents import measure_latents
from keras_devae.figures.divergence_bars import PALE
from keras_devae.figures.of_models import (
    MODEL_FIGURES,
    check_model_figure,
    factor_scatter_figure,
    information_map_figure,
    information_over_layers_figure,
    kl_figure,
    reconstruction_figure,
    sample_figure,
    traversal_animation,
    traversal_figure,
    traversed,
)

GAP = 3
#: Pixels of an image of 8 that is enlarged to about 112.
ENLARGED = 112
KL = [kl_of(*posterior) for posterior in POSTERIOR]


def drawn_images(figure, rows, columns, row_gap=GAP):
    """The images of a mosaic, brought back to their own size: `(rows, columns, 8, 8)` of bytes."""
    pixels = np.asarray(figure.axes[0].images[0].get_array())[..., 0]
    step = ENLARGED // SIDE
    down, across = ENLARGED + row_gap, ENLARGED + GAP
    assert pixels.shape == (rows * down - row_gap, columns * across - GAP)
    return np.array(
        [
            [
                pixels[r * down : r * down + ENLARGED : step, c * across :][:, :ENLARGED:step]
                for c in range(columns)
            ]
            for r in range(rows)
        ]
    )


def to_bytes(images):
    return np.round(np.asarray(images)[..., 0] * 255).astype(np.uint8)


def start_code(index, mean_scale=1.0):
    """The places (row, column) of the bars of the image that a traversal starts from."""
    column, row = centred(np.array([divmod(index, ROWS)]))[0]
    return mean_scale * 0.5 * row, mean_scale * 0.8 * column


def test_each_row_moves_what_its_latent_holds_and_leaves_the_rest():
    index, values = 7, [-2.0, -1.0, 0.0, 1.0, 2.0]
    figure = traversal_figure(KnownModel(), grid_dataset(), steps=5, index=index)
    (axes,) = figure.axes
    assert tick_texts(axes.yaxis) == [
        f"z3 column  KL {KL[3]:.2f}",
        f"z1 row  KL {KL[1]:.2f}",
        f"z2  KL {KL[2]:.2f}",
        "z0  KL 0.00",
    ]
    assert tick_texts(axes.xaxis) == ["-2", "-1", "0", "1", "2"]
    row, column = start_code(index)
    expected = [
        [bars(row, value) for value in values],
        [bars(value, column) for value in values],
        [bars(row, column)] * 5,
        [bars(row, column)] * 5,
    ]
    np.testing.assert_array_equal(drawn_images(figure, 4, 5), to_bytes(expected))
    assert axes.get_title("left") == "KnownModel, layer 0: latent traversals on grid"


def test_another_layer_starts_from_its_own_codes_and_has_its_own_order():
    # In layer 1 too little of the column is left to be called active.
    posterior = ((None, 0.0, 0.0), (1, 0.5, -3.0), (None, 0.0, -0.5), (0, 0.8, 0.0))
    model = KnownModel(posterior, mean_scales=(1.0, 0.5), std_scales=(1.0, 1.0))
    dataset, index = grid_dataset(), 19
    figure = traversal_figure(model, dataset, layer=1, steps=3, index=index)
    kl = [kl_of(f, s / 2, v) for f, s, v in posterior]
    assert tick_texts(figure.axes[0].yaxis) == [
        f"z1 row  KL {kl[1]:.2f}",
        f"z3  KL {kl[3]:.2f}",
        f"z2  KL {kl[2]:.2f}",
        "z0  KL 0.00",
    ]
    row, column = start_code(index, mean_scale=0.5)
    images = drawn_images(figure, 4, 3)
    np.testing.assert_array_equal(images[0], to_bytes([bars(v, column) for v in (-2, 0, 2)]))
    np.testing.assert_array_equal(images[2], to_bytes([bars(row, column)] * 3))
    assert "layer 1" in figure.axes[0].get_title("left")


def test_quantiles_of_the_prior_are_where_they_should_be():
    figure = traversal_figure(KnownModel(), grid_dataset(), steps=5, index=0, span="quantiles")
    values = norm.ppf([0.025, 0.2625, 0.5, 0.7375, 0.975])
    assert tick_texts(figure.axes[0].xaxis) == ["-1.96", "-0.636", "0", "0.636", "1.96"]
    row, _ = start_code(0)
    expected = to_bytes([bars(row, value) for value in values])
    np.testing.assert_array_equal(drawn_images(figure, 4, 5)[0], expected)


def test_the_range_can_be_another():
    figure = traversal_figure(KnownModel(), grid_dataset(), steps=3, index=0, limit=1.0)
    row, _ = start_code(0)
    expected = to_bytes([bars(row, value) for value in (-1, 0, 1)])
    np.testing.assert_array_equal(drawn_images(figure, 4, 3)[0], expected)


def test_latents_that_are_not_active_can_be_left_out():
    figure = traversal_figure(KnownModel(), grid_dataset(), steps=2, active_only=True)
    (axes,) = figure.axes
    assert [text.split()[0] for text in tick_texts(axes.yaxis)] == ["z3", "z1"]
    assert axes.get_title("left").endswith("2 of 4 latents, not active, left out")
    with pytest.raises(UsageError, match=r"none of layer 0 passes on 0\.5 nats.*Draw all"):
        traversal_figure(collapsed(), grid_dataset(), active_only=True)


def test_a_traversal_needs_no_factors():
    figure = traversal_figure(KnownModel(), unlabelled_dataset(), steps=2)
    assert [text.split()[0] for text in tick_texts(figure.axes[0].yaxis)] == [
        "z3",
        "z1",
        "z2",
        "z0",
    ]


@pytest.mark.parametrize("draw", [traversal_figure, kl_figure])
def test_factors_that_only_give_names_may_be_constant(draw):
    """Warnings are errors here: none is due where nothing is missing."""
    figure = draw(KnownModel(), grid_dataset(extra=(("color", 1),)))
    axis = figure.axes[0].yaxis if draw is traversal_figure else figure.axes[0].xaxis
    assert [text.split("  ")[0] for text in tick_texts(axis)][:2] == ["z3 column", "z1 row"]


def wide(count=1024):
    """A model with many latents, of which number 700 and 1000 hold the factors, all active."""
    posterior = [(1, 0.3, -2.5 - i / count) for i in range(count)]
    posterior[700], posterior[1000] = (0, 3.0, -5.0), (1, 2.0, -5.0)
    return KnownModel(posterior=tuple(posterior))


def test_of_very_many_latents_the_strongest_are_drawn():
    figure = traversal_figure(wide(), grid_dataset(), steps=2)
    labels = tick_texts(figure.axes[0].yaxis)
    assert [label.split("  ")[0] for label in labels[:3]] == [
        "z700 column",
        "z1000 row",
        "z1023 row",
    ]
    assert len(labels) == 20
    title = figure.axes[0].get_title("left")
    assert title.endswith("the 1,004 weakest of 1,024 latents left out")
    (axes, *_) = information_map_figure(wide(), grid_dataset()).axes
    assert [t.split()[0] for t in tick_texts(axes.yaxis)][:3] == ["z700", "z1000", "z1023"]
    assert len(tick_texts(axes.yaxis)) == 15


def test_images_start_where_the_seed_says():
    pictures = [
        drawn_images(traversal_figure(KnownModel(), grid_dataset(), steps=2, seed=s), 4, 2)
        for s in (0, 0, 3)
    ]
    np.testing.assert_array_equal(pictures[0], pictures[1])
    assert (pictures[0] != pictures[2]).any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 1}, "`steps`"),
        ({"limit": 0}, "`limit`"),
        ({"span": "quantile"}, "Unknown span 'quantile'. Did you mean 'quantiles'"),
        ({"layer": 5}, "layers 0 to 1. Received: 5"),
        ({"index": 20}, "20"),
    ],
)
def test_wrong_use_is_refused_before_anything_is_encoded(options, message):
    for draw in (traversal_figure, traversal_animation):
        model = KnownModel()
        with pytest.raises(UsageError, match=message):
            draw(model, grid_dataset(), **options)
        assert model.encoded == 0


def panel(frame, number):
    """The image in a panel of a frame, brought back to its own size."""
    left = 6 + number * (ENLARGED + GAP)
    # No line of letters is so dark.
    dark = (frame[:, 6 : 6 + ENLARGED, 0] < 200).sum(axis=1) > 0.8 * ENLARGED
    top = int(np.argmax(dark))
    return frame[top : top + ENLARGED, left : left + ENLARGED, 0][
        :: ENLARGED // SIDE, :: ENLARGED // SIDE
    ]


def test_all_active_latents_move_there_and_back_in_panels_of_their_own():
    index = 12
    frames = traversal_animation(KnownModel(), grid_dataset(), steps=4, index=index)
    assert frames.dtype == np.uint8 and len(frames) == 6
    row, column = start_code(index)
    values = np.linspace(-2, 2, 4)
    for frame, value in zip(frames, values[[0, 1, 2, 3, 2, 1]], strict=True):
        np.testing.assert_array_equal(panel(frame, 0), to_bytes(bars(row, value)))
        np.testing.assert_array_equal(panel(frame, 1), to_bytes(bars(value, column)))
    # Two panels: what is not active has none.
    assert 2 * ENLARGED + GAP + 12 <= frames.shape[2] < 3 * ENLARGED


def test_an_animation_of_a_collapsed_model_shows_its_latents_all_the_same():
    frames = traversal_animation(collapsed(7), unlabelled_dataset(), steps=2)
    assert len(frames) == 2
    # Five in a row, and two below them.
    assert frames.shape[2] >= 5 * ENLARGED + 4 * GAP and frames.shape[1] > 2 * ENLARGED
    with pytest.raises(UsageError, match=r"none of layer 0 passes on 0\.5 nats.*Draw all"):
        traversal_animation(collapsed(7), unlabelled_dataset(), steps=2, active_only=True)


@pytest.mark.parametrize(
    ("model", "options", "said"),
    [
        (lambda: collapsed(7), {}, "no latent is active"),
        (KnownModel, {}, "2 of 4 latents, not active, left out"),
        (KnownModel, {"active_only": False}, None),
        (lambda: collapsed(20), {"active_only": False}, "the 5 weakest of 20 latents left out"),
    ],
)
def test_an_animation_says_what_it_leaves_out(monkeypatch, model, options, said):
    titles, draw = [], figures.contact_sheet

    def remember(images, columns, labels, title):
        titles.append(title)
        return draw(images, columns, labels, title=title)

    monkeypatch.setattr(figures, "contact_sheet", remember)
    traversal_animation(model(), unlabelled_dataset(), steps=2, **options)
    assert titles == [said] * 2


@pytest.mark.parametrize(
    ("count", "drawn", "label"),
    [
        (2, [0, 0, 1, 1], "category 0 to 1"),
        (4, [0, 1, 2, 3], "category 0 to 3"),
        (10, [0, 3, 6, 9], "category 0 to 9\n(4 of 10)"),
    ],
)
def test_a_category_has_the_last_row(tiny, blobs, count, drawn, label):
    model = tiny("joint_vae", num_categories=count)
    images = blobs(32)
    figure = traversal_figure(model, ArrayDataset(images, name="blobs"), steps=4, index=3)
    assert tick_texts(figure.axes[0].yaxis)[-1] == label
    code = np.tile(model.encode(images[3:4]), (4, 1))
    by_category = model.decode(code, categories=np.array(drawn))
    last = drawn_images(figure, 4, 4)[-1]
    np.testing.assert_array_equal(last, to_bytes(by_category))


def test_dimensions_move_and_the_category_stays(tiny, blobs):
    model, image = tiny("joint_vae", num_categories=3), blobs(1)
    found = traversed(model, image, 0, [2, 0], [-1.0, 0.5])
    code, category = model.encode(image)[0], model.encode_categories(image)
    for row, dimension in enumerate([2, 0]):
        for step, value in enumerate([-1.0, 0.5]):
            moved = code.copy()
            moved[dimension] = value
            expected = model.decode(moved[None], categories=category)[0]
            np.testing.assert_allclose(found[row, step], expected, atol=1e-6)


def test_latents_that_are_known_are_not_measured_again():
    model, dataset = KnownModel(), grid_dataset()
    latents = measure_latents(model, dataset, layer=1)
    measuring, model.encoded = model.encoded, 0
    figure = traversal_figure(model, dataset, layer=1, steps=2, index=3, latents=latents)
    assert model.encoded == 1 < measuring
    expected = [f"{latents.name_of(d)}  KL {latents.kl[d]:.2f}" for d in latents.order]
    assert tick_texts(figure.axes[0].yaxis) == expected


def shares_in(axes):
    (mesh,) = [c for c in axes.collections if isinstance(c, QuadMesh)]
    return np.asarray(mesh.get_array())


def test_the_map_has_the_active_latents_and_a_panel_a_layer():
    sharp = ((None, 0.0, 0.0), (1, 0.5, -9.0), (None, 0.0, -0.5), (0, 0.8, -9.0))
    model = KnownModel(posterior=sharp, mean_scales=(1.0, 1e-4), std_scales=(1.0, 1.0))
    figure = information_map_figure(model, grid_dataset(repeats=50))
    first, second, _ = figure.axes
    kl = [kl_of(*posterior) for posterior in sharp]
    assert tick_texts(first.yaxis) == [f"z3  max KL {kl[3]:.2f}", f"z1  max KL {kl[1]:.2f}"]
    assert tick_texts(first.xaxis) == list(NAMES)
    assert [axes.get_title("left") for axes in (first, second)] == ["layer 0", "layer 1"]
    np.testing.assert_allclose(shares_in(first), np.eye(2), atol=0.05)
    # A scaling of the means tells no less; of samples, the noise leaves nothing.
    np.testing.assert_allclose(shares_in(second), np.eye(2), atol=0.05)
    assert figure.get_suptitle() == (
        "KnownModel on grid, information of posterior means; 2 of 4 latents, not active, left out"
    )
    sampled = information_map_figure(model, grid_dataset(repeats=50), representation="sample")
    assert (
        shares_in(sampled.axes[0]).diagonal().min() > 0.9 > 0.1 > shares_in(sampled.axes[1]).max()
    )
    assert "information of posterior samples" in sampled.get_suptitle()
    told = [one.shares[[3, 1]] for one in measure_latents(model, grid_dataset(repeats=50), None)]
    np.testing.assert_allclose([shares_in(first), shares_in(second)], told)
    (only, _) = information_map_figure(model, grid_dataset(repeats=50), layer=1).axes
    assert only.get_title("left") == "layer 1"
    # None is active there.
    assert [text.split()[0] for text in tick_texts(only.yaxis)] == ["z3", "z1", "z2", "z0"]


def test_the_map_encodes_each_image_once():
    model = KnownModel()
    information_map_figure(model, grid_dataset())
    # A batch of the encoder, which 20 images do not fill.
    assert model.encoded == BATCH


class Parallel(KnownModel):
    """Its layers are latent spaces of their own: the second has the column in 1, the row in 2."""

    def posterior_of_layers(self, mean, log_var):
        return mean[:, [[0, 1, 2, 3], [0, 3, 1, 2]]].swapaxes(0, 1), log_var[
            :, [[0, 1, 2, 3], [0, 3, 1, 2]]
        ].swapaxes(0, 1)


def test_layers_that_are_spaces_of_their_own_lend_each_other_no_names():
    (axes,) = kl_figure(Parallel(), grid_dataset()).axes
    # Where only one layer has something, the name is its own.
    assert tick_texts(axes.xaxis) == ["z1", "z3 column", "z2 row", "z0"]
    heights = np.array([[bar.get_height() for bar in bars] for bars in axes.containers])
    np.testing.assert_allclose(
        heights, [[KL[1], KL[3], KL[2], 0], [KL[3], KL[2], KL[1], 0]], rtol=1e-5, atol=1e-9
    )
    (first, second, _) = information_map_figure(Parallel(), grid_dataset(repeats=50)).axes
    # The second layer's z2 is drawn, though in the first it is not active.
    assert [text.split()[0] for text in tick_texts(first.yaxis)] == ["z1", "z3", "z2"]
    assert shares_in(second)[2, 1] > 0.3 > 0.1 > shares_in(first)[2].max()


def test_the_map_of_a_collapsed_model_says_so():
    model = KnownModel(posterior=((None, 0.0, 0.0),) * 20, std_scales=(1.0, 1.0))
    figure = information_map_figure(model, grid_dataset(repeats=50))
    assert figure.get_suptitle() == (
        "KnownModel on grid, information of posterior means; no latent is active; the 5 weakest of "
        "20 latents left out"
    )
    assert shares_in(figure.axes[0]).shape == (15, 2)


def test_layers_pass_on_less_and_less():
    sharp = ((0, 0.8, -9.0), (1, 0.5, -9.0))
    model = KnownModel(posterior=sharp, mean_scales=(1, 1, 1), std_scales=(1, 60, 3000))
    dataset = grid_dataset(repeats=100)
    (axes,) = information_over_layers_figure(model, dataset).axes
    assert axes.get_title("left") == "Information of posterior means"
    # The last layer's noise leaves no dimension active.
    for line in axes.lines:
        np.testing.assert_allclose(line.get_ydata()[[0, 2]], [1.0, 0.0], atol=1e-6)
    (axes,) = information_over_layers_figure(model, dataset, representation="sample").axes
    assert axes.get_title("left") == "Information of posterior samples"
    assert [line.get_label() for line in axes.lines] == list(NAMES)
    for line in axes.lines:
        first, second, third = line.get_ydata()
        assert first == pytest.approx(1.0) and 0.05 < second < 0.95 and third < 0.05


def test_factors_are_drawn_against_the_latents_that_hold_them():
    dataset = grid_dataset()
    figure = factor_scatter_figure(KnownModel(), dataset)
    column, row = figure.axes
    assert column.get_title("left") == "column: z3 (100%)"
    assert row.get_title("left") == "row: z1 (100%)"
    for axes, scale, count in ((column, 0.8, COLUMNS), (row, 0.5, ROWS)):
        (points,) = [c for c in axes.collections if isinstance(c, PathCollection)]
        x, y = np.asarray(points.get_offsets()).T
        assert set(x) <= set(range(count)) and len(x) == len(dataset)
        np.testing.assert_allclose(y, scale * (x - (count - 1) / 2), atol=1e-6)


def test_bars_are_ordered_and_named():
    (axes,) = kl_figure(KnownModel(), grid_dataset()).axes
    first, second = axes.containers
    # Layer 1, whose deviations are 2, has more of z0 than of z2.
    assert tick_texts(axes.xaxis) == ["z3 column", "z1 row", "z0", "z2"]
    np.testing.assert_allclose([b.get_height() for b in first], np.array(KL)[[3, 1, 0, 2]])
    assert first.get_label() == "layer 0" and second.get_label() == "layer 1"
    (axes,) = kl_figure(KnownModel(), unlabelled_dataset(), layer=1).axes
    (only,) = axes.containers
    kl = sorted((kl_of(f, s / 2, v + np.log(4)) for f, s, v in POSTERIOR), reverse=True)
    np.testing.assert_allclose([b.get_height() for b in only], kl, rtol=1e-5)
    # z3 and z1 are active no more under twice the noise, whatever they have of divergence.
    assert [bar.get_alpha() for bar in first] == [None, None, PALE, PALE]
    assert [bar.get_alpha() for bar in only] == [PALE] * 4
    assert axes.get_xlabel() == "pale: not active"


@pytest.mark.filterwarnings("error::keras_devae.metrics.FewSamplesWarning")
def test_reconstructions_and_samples_come_from_the_layer():
    model, dataset = KnownModel(), grid_dataset()
    figure = reconstruction_figure(model, dataset, layer=1, seed=4)
    images = drawn_images(figure, 2, 10)
    for image, reconstruction in images.swapaxes(0, 1):
        row, column = start_code(ROWS * image[0, 0] + image[0, 1], mean_scale=0.5)
        np.testing.assert_array_equal(reconstruction, to_bytes(bars(row, column)))
    assert tick_texts(figure.axes[0].yaxis)[1].startswith("layer 1\nsquared error ")
    assert len(tick_texts(reconstruction_figure(model, dataset).axes[0].yaxis)) == 3

    class Narrow(KnownModel):
        """Decodes whatever is beyond the edge to the edge."""

        def decode(self, z, layer=0, batch_size=256):
            return super().decode(np.clip(z, -2, 2), layer)

    codes = np.clip(np.random.default_rng(5).standard_normal((64, 4), dtype=np.float32), -2, 2)
    sheet = drawn_images(sample_figure(Narrow(), dataset, seed=5), 8, 8)
    expected = to_bytes([bars(code[1], code[3]) for code in codes])
    np.testing.assert_array_equal(sheet.reshape(64, SIDE, SIDE), expected)


def test_names_and_what_they_need_are_checked():
    for name in MODEL_FIGURES:
        check_model_figure(name)
        check_model_figure(name, grid_dataset())
    with pytest.raises(UsageError, match=r"Unknown figure 'travesal'.*'traversal'"):
        check_model_figure("travesal")
    for name in ("information-map", "information-over-layers", "factor-scatter"):
        with pytest.raises(UsageError, match=rf"{name}.*'grid' has none.*traversal.*kl"):
            check_model_figure(name, unlabelled_dataset())
    for name in ("traversal", "reconstructions", "samples", "kl"):
        check_model_figure(name, unlabelled_dataset())


def test_factors_that_do_not_vary_are_no_factors_to_draw():
    same = ArrayDataset(
        grid_dataset().images(range(20)), np.ones((20, 1), int), ("color",), name="x"
    )
    for draw in (information_map_figure, information_over_layers_figure):
        with pytest.raises(UsageError, match="a factor that varies, and the data set 'x' has"):
            draw(KnownModel(), same)
    with pytest.raises(UsageError, match="a factor that varies, and the data set 'x' has none"):
        factor_scatter_figure(KnownModel(), same)
