"""The explorer's page, built on Gradio, which is imported only when a page is made."""

from __future__ import annotations

import base64
import functools
import html
import importlib.resources
import io
import os
from typing import Any

from PIL import Image

from keras_devae.data.titles import title_of
from keras_devae.errors import UsageError
from keras_devae.explorer.session import Session

_STEP = 0.05
#: Fewest steps from one end of a slider to the other.
_STEPS = 60
#: What exports the encoder of a model that belongs to no run, in Python.
_EXPORT = 'model.export_encoder("encoder")'


def make_page(session: Session, export: str = _EXPORT) -> Any:
    """Makes the page of a session.

    Nothing on it comes from other hosts, and Gradio's telemetry is switched off in this process.

    Args:
        session: The session.
        export: The command that exports the encoder, which the page names; default: in Python.

    Returns:
        A `gradio.Blocks`, for `serve`, or to mount in an application with
        `gradio.mount_gradio_app`.
    """
    gradio = _gradio()
    title = f"{type(session.model).__name__} on {title_of(session.dataset.name)}"
    # Part of the page itself, so that the page looks the same wherever it is mounted.
    style = (
        importlib.resources.files("keras_devae.explorer").joinpath("page.css").read_text("utf-8")
    )
    head = (
        f'<style>{style}</style><a class="explorer-skip" href="#sliders">Skip to the sliders</a>'
        f"<h1>{html.escape(title)}</h1><p><strong>{html.escape(session.verdict())}</strong></p>"
        "<p>Move a slider and watch the decoded image. To use the encoder elsewhere: "
        f"<code>{html.escape(export)}</code></p>"
    )
    with gradio.Blocks(title=title, analytics_enabled=False, fill_width=True) as page:
        gradio.HTML(head, elem_classes="explorer-title")
        _Explorer(gradio, session)
    return page


def system_theme() -> Any:
    """Returns Gradio's default theme with the system's fonts."""
    return (
        _gradio()
        .themes.Default(
            primary_hue="blue",
            neutral_hue="slate",
            font=["system-ui", "sans-serif"],
            font_mono=["ui-monospace", "monospace"],
        )
        .set(
            # The default ones are too pale to read on white.
            body_text_color_subdued="*neutral_600",
            block_info_text_color="*neutral_600",
            block_label_text_color="*neutral_700",
            block_title_text_color="*neutral_700",
            button_primary_background_fill="*primary_600",
            button_primary_background_fill_hover="*primary_700",
        )
    )


def _gradio():
    # Gradio reads these when it is imported and when it serves.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_RUN_HISTORY"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    import gradio

    return gradio


class _Explorer:
    """The components of the page, which hold a visitor's choices, and their event handlers."""

    def __init__(self, gradio, session):
        self.gradio = gradio
        self.session = session
        row, layer = session.random_row(), 0
        # The row that is shown; the field may be empty, or hold a row that does not exist.
        self.shown = gradio.State(row)
        with gradio.Row():
            with gradio.Column(scale=3, min_width=320, elem_classes="explorer-choices"):
                self._add_pictures(row, layer)
                self._add_images(row)
            with gradio.Column(scale=2, min_width=320, elem_id="sliders"):
                self._add_layers(row, layer)
                self._add_sliders(row, layer)
        self._connect()

    def _add_pictures(self, row, layer):
        gradio = self.gradio
        options = {"elem_classes": "explorer-picture", "min_width": 120}
        with gradio.Row(elem_classes="explorer-images"):
            self.original = gradio.HTML(self._original(row), elem_id="original", **options)
            self.decoded = gradio.HTML(self._decoded(row, layer), elem_id="decoded", **options)

    def _add_images(self, row):
        gradio = self.gradio
        with gradio.Row():
            options = {"size": "md", "min_width": 120}
            self.random = gradio.Button("Random image", variant="primary", **options)
            self.reset = gradio.Button("Reset sliders", **options)
        label = f"Number of the image, 0 to {len(self.session.dataset) - 1:,}"
        self.row = gradio.Number(row, label=label, precision=0)

    def _add_layers(self, row, layer):
        gradio, session = self.gradio, self.session
        self.summary = gradio.Markdown(self._summary(layer), elem_classes="explorer-summary")
        self.layer = gradio.Radio(
            list(range(session.num_layers)),
            value=layer,
            label="Latent layer",
            visible=session.num_layers > 1,
        )
        self.category = gradio.Radio(
            list(range(session.num_categories)),
            value=session.code_of(row, layer).category,
            label="Category",
            visible=session.num_categories > 0,
        )

    def _add_sliders(self, row, layer):
        gradio, sliders = self.gradio, self.session.sliders(layer)
        none_active = not any(slider.active for slider in sliders)
        self.sliders = [
            gradio.Slider(interactive=True, buttons=[], elem_classes="explorer-slider", **options)
            for options in self._slider_options(row, layer, none_active)
        ]
        idle = "inactive latents" if self.session.latents[0].has_posterior else "constant codes"
        self.show_all = gradio.Checkbox(none_active, label=f"Also show {idle}")

    def _summary(self, layer):
        noun = self.session.latents[layer].noun
        return f"## What each {noun} holds\n\n{self.session.summary(layer)}"

    def _connect(self):
        seen, everything = [self.shown, self.layer], self.show_all
        code = [self.category, *self.sliders]
        begun = [self.shown, self.row, self.original, self.summary, self.decoded, *code]
        moves = [component.input for component in code]
        self._on(moves, self._decoded, [*seen, *code], self.decoded)
        self._on([self.row.input], self._choose, [self.row, self.layer, everything], begun)
        self._on([self.random.click], self._draw, [self.layer, everything], begun)
        returns = [self.layer.input, self.reset.click]
        self._on(returns, self._begin, [*seen, everything], begun)
        self._on([everything.input], self._show, [self.layer, everything], self.sliders)

    def _on(self, triggers, function, inputs, outputs):
        self.gradio.on(
            triggers,
            self._refusing(function),
            inputs,
            outputs,
            # Without the queue an answer comes at once; while the page waits for it, it keeps
            # only the newest values.
            queue=False,
            # `call_validation` has checked the kinds of values. While a visitor chooses another
            # image, Gradio would check them against the bounds that suit the previous one.
            preprocess=False,
            trigger_mode="always_last",
            show_progress="hidden",
            api_visibility="private",
        )

    def _refusing(self, function):
        """Shows the function's `UsageError` on the page and not in the terminal."""

        @functools.wraps(function)
        def refusing(*values):
            try:
                return function(*values)
            except UsageError as error:
                raise self.gradio.Error(html.escape(str(error)), print_exception=False) from None

        return refusing

    def _choose(self, row, layer, show_all):
        """Starts from the row in the field, or the nearest one that exists."""
        if row is None:
            return self.gradio.skip()
        nearest = min(max(int(row), 0), len(self.session.dataset) - 1)
        parts = self._begin(nearest, layer, show_all)
        if nearest == row:
            # The visitor may have typed more in the meantime.
            parts[1] = self.gradio.skip()
        return parts

    def _draw(self, layer, show_all):
        """Starts from an image drawn at random."""
        return self._begin(self.session.random_row(), layer, show_all)

    def _begin(self, row, layer, show_all):
        """Shows an image, and its posterior on the sliders."""
        return [
            row,
            row,
            self._original(row),
            self._summary(layer),
            self._decoded(row, layer),
            self.session.code_of(row, layer).category,
            *(
                self.gradio.update(**options)
                for options in self._slider_options(row, layer, show_all)
            ),
        ]

    def _show(self, layer, show_all):
        """Shows the sliders of all latents, or of the active ones."""
        sliders = self.session.sliders(layer)
        return [self.gradio.update(visible=show_all or slider.active) for slider in sliders]

    def _slider_options(self, row, layer, show_all):
        code = self.session.code_of(row, layer).code
        for slider in self.session.sliders(layer):
            value = float(code[slider.dimension])
            low, high = self.session.ends_of(layer, slider.dimension, value)
            yield {
                "minimum": low,
                "maximum": high,
                "step": min(_STEP, (high - low) / _STEPS),
                "value": round(value, 4),
                "label": slider.name,
                "info": slider.remark,
                "visible": show_all or slider.active,
            }

    def _original(self, row):
        factors = self.session.factors_of(row)
        values = ", ".join(f"{name} {value}" for name, value in factors.items())
        caption = f"Image {row:,}" + (f": {values}" if values else "")
        return _figure(self.session.code_of(row).image, "original image", caption)

    def _decoded(self, row, layer, category=None, *values):
        image = self.session.decode(row, layer, values, category)
        return _figure(image, "decoded image", "Decoded from the sliders")


def _figure(image, alternative, caption):
    """Returns HTML that contains the pixels of an image."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "png")
    pixels = base64.b64encode(file.getvalue()).decode()
    return (
        f'<figure><img src="data:image/png;base64,{pixels}" alt="{alternative}">'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )
