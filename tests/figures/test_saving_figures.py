"""Vector formats: text that stays text, shapes that stay shapes, the same file every time."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from keras_devae import figures
from keras_devae.figures.saving import read_panels, read_rows, save_rows

SVG = "{http://www.w3.org/2000/svg}"
RNG = np.random.default_rng(0)

#: Name -> (a figure of shapes, some of its words).
DRAWN = {
    "information_map": (
        lambda: figures.information_map(np.ones((2, 3, 2)), [1, 2], ["shape", "scale"]),
        {"shape", "z2", "layer 1", "0.50", "share of entropy"},
    ),
    "information_over_layers": (
        lambda: figures.information_over_layers(np.ones((2, 3, 1)), [2], ["shape"]),
        {"shape", "latent layer"},
    ),
    "kl_bars": (lambda: figures.kl_bars([1.0, 2.0]), {"z1", "nats"}),
    "factor_scatter": (
        lambda: figures.factor_scatter(RNG.normal(size=(9, 1)), np.eye(9)[:, :1], ["z5"], ["size"]),
        {"size: z5"},
    ),
    "score_scatter": (
        lambda: figures.score_scatter([1.0, 2.0], [1.0, 2.0], ["devae", "vae"], "error", "gap"),
        {"devae", "vae", "gap"},
    ),
    "box_plots": (lambda: figures.box_plots({"MIG": {"devae": [1.0, 2.0]}}), {"MIG", "devae"}),
    "learning_curves": (lambda: figures.learning_curves({"loss": [2.0, 1.0]}), {"loss", "step"}),
}


@pytest.mark.parametrize("name", DRAWN)
def test_svg_holds_text_and_shapes_and_no_pixels(name, tmp_path):
    draw, words = DRAWN[name]
    tree = ElementTree.parse(figures.save(draw(), tmp_path / "figure.svg"))
    texts = {"".join(element.itertext()).strip() for element in tree.iter(f"{SVG}text")}
    assert words <= texts
    assert not list(tree.iter(f"{SVG}image"))
    assert list(tree.iter(f"{SVG}path"))


@pytest.mark.parametrize("suffix", ["svg", "pdf", "png"])
def test_a_figure_gives_the_same_file_every_time(suffix, tmp_path):
    figure = figures.kl_bars([1.0, 2.0])
    first = figures.save(figure, tmp_path / f"first.{suffix}").read_bytes()
    assert figures.save(figure, tmp_path / f"second.{suffix}").read_bytes() == first


def test_a_notebook_shows_the_file_that_save_writes(tmp_path):
    for figure in (
        figures.kl_bars([1.0, 2.0]),
        figures.contact_sheet(np.zeros((2, 16, 16, 1), np.uint8), 2, title="$"),
    ):
        assert figure._repr_png_() == figures.save(figure, tmp_path / "figure.png").read_bytes()


def test_labels_of_two_lines_have_room_between_the_rows():
    images = np.zeros((4, 16, 16, 1), np.uint8)
    figure = figures.contact_sheet(images, 2, labels=["z1  KL 2.00\nposition_x", "b", "c", "d"])
    (axes,) = figure.axes
    figure.draw_without_rendering()
    label = axes.texts[0].get_window_extent()
    below = axes.transData.transform((0, axes.texts[2].xy[1] - 112))[1]
    above = axes.transData.transform((0, axes.texts[0].xy[1]))[1]
    assert below <= label.y0 < label.y1 <= above


def test_names_with_dollar_signs_are_names(tmp_path):
    history = {"step": [1, 2], "a_b $x_{$ c": [1.0, 2.0]}
    file = figures.save(figures.learning_curves(history), tmp_path / "curves.svg")
    assert "$x {$ c" in file.read_text()


def test_the_panels_of_a_file_are_found_again(tmp_path):
    history = {name: RNG.normal(size=9) for name in ("loss", "beta", "kl", "rest")}
    file = figures.save(figures.learning_curves(history), tmp_path / "curves.png")
    panels = read_panels(file)
    assert len(panels) == 4
    # Three inches wide each, and something drawn in all.
    assert all(300 < panel.width < 400 and np.asarray(panel).std() > 10 for panel in panels)


def test_rows_of_images_keep_their_texts(tmp_path):
    rows = RNG.integers(0, 256, (3, 4, 16, 16, 1), dtype=np.uint8)
    texts = [("z0 Größe", "KL 2.41"), ("z1", ""), ("category", "0 to 3")]
    found = read_rows(save_rows(rows, tmp_path / "rows.png", texts))
    assert [(name, remark) for name, remark, _ in found] == texts
    for row, (_, _, picture) in zip(rows, found, strict=True):
        # Enlarged seven times.
        assert (np.asarray(picture)[::7, : 16 * 7 : 7, 0] == row[0, ..., 0]).all()
    plain = figures.save(figures.contact_sheet(rows[0], 2), tmp_path / "plain.png")
    assert read_rows(plain) == []
