"""Draw what the latents of every model do, one small picture a model, from the runs of a study.

Shown is the run with seed 0 and the model's default options: each active latent of layer 0 moves
from end to end. A model without a decoder gets the map of what its latents say about the factors.

python examples/model_pictures.py runs/every-model examples/results/models
"""

import argparse
from pathlib import Path

from PIL import Image

import keras_devae as kd
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.runs import find_runs

#: Images in a row: few, so that the text can be read where the picture is small.
STEPS = 5
#: Colours of a picture; images and text are grey, and the maps have few colours.
COLOURS = 64


def typical_runs(study):
    """Returns, by model, the run with seed 0 whose options are closest to the defaults."""
    found = {}
    for run in find_runs(study):
        config = run.read_config()
        if config.training.seed == 0:
            defaults = MODEL_CATALOGUE[config.model.name].defaults
            chosen = [name for name, value in config.model.options.items() if name in defaults]
            differing = sum(config.model.options[name] != defaults[name] for name in chosen)
            found.setdefault(config.model.name, []).append((differing, str(run.path)))
    return {model: min(runs)[1] for model, runs in sorted(found.items())}


def figure_of(run):
    """Returns the figure of a run: traversals, or the map of information without a decoder."""
    figures, shown = kd.figures.of_models, (run.model, run.dataset)
    if not run.model.declaration.decodes:
        return figures.information_map_figure(*shown)
    latents = kd.evaluation.measure_latents(*shown, images=2000)
    some = len(latents.active) > 0
    return figures.traversal_figure(*shown, steps=STEPS, active_only=some, latents=latents)


def main(study="runs/every-model", folder="examples/results/models"):
    """Writes a picture of every model and returns their paths."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    written = []
    for model, path in typical_runs(study).items():
        with kd.runs.Run.open(path) as run:
            pixels = Image.fromarray(kd.figures.pixels_of(figure_of(run)))
        written.append(Path(folder, f"{model}.png"))
        pixels.quantize(COLOURS).save(written[-1], optimize=True)
        print(written[-1], flush=True)
    return written


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("study", nargs="?", default="runs/every-model", help="folder of the study")
    parser.add_argument("folder", nargs="?", default="examples/results/models", help="for pictures")
    arguments = parser.parse_args()
    main(arguments.study, arguments.folder)
