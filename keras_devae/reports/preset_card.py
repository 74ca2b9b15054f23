"""The card of a preset: what it is, what it was trained on, how good it is, and where it ends."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_devae.comparison.table_files import markdown
from keras_devae.evaluation.findings import verdict
from keras_devae.evaluation.measured_latents import Latents
from keras_devae.evaluation.wording import listed
from keras_devae.files import file_hash
from keras_devae.presets.folder import RUN, SCORES, WEIGHTS
from keras_devae.reports.details import run_details
from keras_devae.reports.formatting import format_number, format_setting
from keras_devae.reports.summary import constant_factors, summarize
from keras_devae.reports.tables import table_rows

if TYPE_CHECKING:
    from keras_devae.runs.run import Run


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture on a card: the name of its file, and what it shows."""

    file: str
    title: str


def card_text(
    preset: Run,
    scores: Mapping[str, Any],
    latents: Sequence[Latents],
    facts: Mapping[str, Any],
    pictures: Sequence[Picture],
    licence: str | None,
) -> str:
    """Returns the card in Markdown, with the lines at its head that model hubs read.

    Args:
        preset: The preset, opened like a run, with its model and its images.
        scores: What `evaluate` returned.
        latents: What each layer holds.
        facts: What `metadata.json` says.
        pictures: The pictures, which lie beside the card.
        licence: Identifier of the licence, or `None`.
    """
    sections = {
        "Use": _use(preset.model, facts),
        "What it holds": _findings(preset, scores, latents),
        "Images and training": _training(preset),
        "Scores": _scores(scores, facts),
        **({"Pictures": _pictures(pictures)} if pictures else {}),
        "Limits": _limits(preset, facts),
        "Files": _files(preset.folder.path, facts),
    }
    body = [f"## {title}\n\n{text.strip()}\n" for title, text in sections.items()]
    title = f"# {facts['name']}\n\n{facts['description']}.\n"
    return "\n".join([_front_matter(licence), title, *body])


def _front_matter(licence):
    lines = ["library_name: keras", "tags:", "- keras-devae", "- disentanglement"]
    lines += [f"license: {licence}"] if licence else []
    return "\n".join(["---", *lines, "---\n"])


def _use(model, facts):
    name, shape = facts["name"], ", ".join(map(str, model.image_shape))
    decoding = "\nsamples = model.sample(8)" if model.has_prior and model.decoder else ""
    return f"""
```python
import keras_devae as kd

model = kd.{facts["class_name"]}.from_preset("{name}")
codes = model.encode(images)  # uint8 (n, {shape}), or floats in [0, 1]{decoding}
```

```sh
keras-devae explore {name}
keras-devae evaluate {name}
keras-devae train --init-from {name} --dataset folder:pictures
```

Unless the preset comes with keras_devae, give the path of this folder or `hf://OWNER/NAME` in place
of its name. `keras.saving.load_model` loads the folder, too, after `import keras_devae`.
"""


def _findings(preset, scores, latents):
    first = scores["layers"] if scores["layers"][0]["layer"] == 0 else []
    sentences = [
        f"Disentangled? {verdict(latents[0])}",
        *summarize(latents, first, preset.model.image_shape),
        *constant_factors(latents[0], preset.dataset.factor_names),
    ]
    return "\n\n".join(sentences)


def _training(preset):
    described = preset.dataset.description
    path = preset.config.data.dataset.partition(":")[2]
    if path:
        described = described.replace(path, Path(path).name)
    record = preset.folder.read_record()
    facts = run_details(preset.config, record, described)
    options = format_setting(preset.config.model.options)
    rows = [*facts, *([("Options", options)] if preset.config.model.options else [])]
    return f"{markdown(('', ''), rows)}\nAll settings are in `{RUN}`."


def _scores(scores, facts):
    layers = [f"layer {layer['layer']}" for layer in scores["layers"]]
    rows = [
        (
            ", ".join(row["keys"]) + ("" if row["factor"] is None else f": {row['factor']}"),
            *map(format_number, row["cells"]),
            row["meaning"],
        )
        for row in table_rows(scores)
    ]
    settings = scores["settings"]
    return (
        f"Of {settings['images']:,} images, drawn with seed {settings['seed']}, encoded with the "
        f"weights of this file. `keras-devae evaluate {facts['name']}` computes them again.\n\n"
        f"{markdown(('score', *layers, 'meaning'), rows)}\nAs JSON: `{SCORES}`."
    )


def _pictures(pictures):
    return "\n\n".join(f"{each.title}:\n\n![{each.title}]({each.file})" for each in pictures)


def _limits(preset, facts):
    names = preset.dataset.factor_names
    known = f" with the factors {listed(list(names))}" if names else ""
    shape = "x".join(map(str, facts["image_shape"]))
    limits = [
        f"The model knows images of {facts['dataset']}{known}, of exactly "
        f"{shape} pixels and channels. Codes of other images mean nothing until it is trained on "
        "those.",
        "It is one run with one seed. Scores vary with the seed, in this field by as much as "
        "between methods; compare methods by several runs, not by presets.",
        "Which latent holds what is found out afterwards, not built in: see above.",
    ]
    if facts["weights_dtype"] == "float16":
        limits.append(
            "The weights were rounded to float16, three digits. The scores are of the rounded "
            "weights; the run's own differ a little."
        )
    return "\n".join(f"- {limit}" for limit in limits)


def _files(folder, facts):
    digest, size = file_hash(folder / WEIGHTS), (folder / WEIGHTS).stat().st_size
    return (
        f"`{WEIGHTS}`: {facts['parameter_count']:,} weights in {facts['weights_dtype']}, "
        f"{size / 1e6:.2f} MB, SHA-256 `{digest}`, which is checked when the preset is loaded."
    )
