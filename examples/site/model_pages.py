"""Pages of the models, derived from their declarations, and from the scores of "Every model"."""

import re

from module_pages import entry
from names import ROOT
from repository import EXAMPLES

from keras_devae.cli.models import SCALES
from keras_devae.cli.setting_options import flag_of, switch_of, value_text
from keras_devae.models.catalogue import MODEL_CATALOGUE

FOLDER = "models"
_RESULTS = "../examples/results"


def navigation():
    """Returns the overview and the pages of the models."""
    models = [{entry.class_name: f"{FOLDER}/{name}.md"} for name, entry in MODEL_CATALOGUE.items()]
    return [f"{FOLDER}/index.md", *models]


def pages():
    """Returns the text of each page by its place in the site."""
    shown = {f"{FOLDER}/{name}.md": _page(name, entry) for name, entry in MODEL_CATALOGUE.items()}
    return {f"{FOLDER}/index.md": _overview(), **shown}


def _overview():
    rows = [
        [f"[{entry.class_name}]({name}.md)", f"{_text(entry.use)}<br>*{_text(entry.objective)}*"]
        for name, entry in MODEL_CATALOGUE.items()
    ]
    advice = "[Choosing a model](../examples/guides/choosing_a_model.md) compares them.\n\n"
    return (
        "# Models\n\n" + advice + _table(["model", "when to use it, and what it minimises"], rows)
    )


def _page(name, declared):
    parts = {
        "When to use it": f"{declared.use}\n\n{_lacks(declared)}",
        "Paper": "\n".join(f"- {paper}" for paper in declared.paper.split("; ")),
        "Options": _options(declared),
        "What its latents do": _picture(name, declared),
        "Scores": _scores(name),
    }
    title = f"# {declared.class_name}\n\nIt minimises: {_text(declared.objective)}.\n\n"
    calls = (
        f"```python\nmodel = kd.{declared.class_name}.for_images((64, 64, 1), latent_dim=10)\n"
        "```\n\n"
        f"```sh\nkeras-devae train --model {name} --dataset dsprites\n```\n\n"
    )
    sections = [f"## {heading}\n\n{text.strip()}\n\n" for heading, text in parts.items() if text]
    class_ = f"{ROOT}.models.{declared.class_name}"
    heading = f"kd.{declared.class_name}"
    shared = (
        "\nWhat all models can do, such as `ImageModel.encode` and `ImageModel.for_images`, is "
        "described with `kd.models.ImageModel`.\n"
    )
    return title + calls + "".join(sections) + entry(class_, heading, heading) + shared


def _lacks(declared):
    """Returns what most models have and this one lacks or asks for."""
    remarks = {
        "It has no posterior: the encoder returns the codes.": declared.posterior == "none",
        "Its KL divergence is estimated from samples.": declared.posterior == "sampled",
        "It has no decoder.": not declared.decodes,
        "It is not trained to reconstruct.": declared.decodes and not declared.reconstructs,
        "It is fitted in one go, by scikit-learn.": declared.fitted,
        "It learns from pairs of images.": declared.takes_pairs,
    }
    return " ".join(remark for remark, holds in remarks.items() if holds)


def _options(declared):
    rows = []
    for name, option in declared.options.items():
        is_flag = option.kind == "flag"
        default = ("off", "on")[option.default] if is_flag else value_text(option.default)
        switch = switch_of(name, option.default is True)
        text = _text(option.help + SCALES[option.scales])
        rows.append([f"`{name}`<br>`{switch}`", default, text])
    parts = []
    if rows:
        parts.append(_table(["option", "default", "what it does"], rows))
        parts.append(
            "The defaults are meant for 64x64 images and 300,000 steps; `train` scales those that "
            "are marked."
        )
    own = [f"`{flag_of(name)} {value_text(value)}`" for name, value in declared.training.items()]
    if own:
        parts.append(f"`train` uses the method's own {', '.join(own)}, unless you give others.")
    return "\n\n".join(parts)


def _picture(name, declared):
    path = EXAMPLES / "results" / "models" / f"{name}.png"
    if not path.exists():
        return ""
    shown = (
        "active latents of layer 0, each from end to end"
        if declared.decodes
        else "how much of each factor's entropy each latent shares"
    )
    return (
        f"![What the latents of {declared.class_name} do]({_RESULTS}/models/{path.name})\n\n"
        f"The run of [Every model]({_RESULTS}/every_model.md) with seed 0 and the default options, "
        f"drawn by [model_pictures.py](../examples/model_pictures.py): {shown}."
    )


def _scores(name):
    """Returns the rows of "Every model" that are about a model."""
    text = (EXAMPLES / "results" / "every_model.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    rows = [line for line in lines[2:] if re.match(rf"\| {name}\b", line)]
    if not rows:
        return ""
    conditions = f"How they were measured: [Every model]({_RESULTS}/every_model.md)."
    return "\n".join([*lines[:2], *rows, "", conditions])


def _text(text):
    """Returns text in which Markdown finds nothing to read, for a cell of a table."""
    return re.sub(r"[|*_<>]", lambda match: f"&#{ord(match[0])};", text)


def _table(header, rows):
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"
