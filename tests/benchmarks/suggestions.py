"""What proposals are worth: MIG and reconstruction beside settings chosen by hand.

    python tests/benchmarks/suggestions.py FOLDER [--part 0/2] [--seeds 3]
    python tests/benchmarks/suggestions.py FOLDER --table

Both sides have the same steps, batch size and learning rate, at 32x32 pixels. By hand: the betas
1, 10 and 40 of 64x64 pixels, scaled, and the likelihood by the number of channels. Runs that are
done are skipped; the sides take turns. Two processes may each take a part.
"""

import argparse
import importlib.util
import json
import time
from pathlib import Path

import numpy as np
from scipy import stats

from keras_devae.runs import Run, RunConfig
from keras_devae.runs.config.run_config import load_dataset
from keras_devae.suggestions import propose

ROOT = Path(__file__).resolve().parents[2]
#: Steps of the trainings on each set. After 2,000, some on dSprites still show the mean image.
SETS = {"dsprites": 5000, "shapes3d": 2000, "solids": 2000, "clocks": 2000}
SIDES = ("hand", "proposal")
GIVEN = ("dataset", "image_size", "source", "batch_size", "learning_rate", "steps")


def module(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def solids(folder):
    """Drawn toys with the factors of SmallNORB, averaged from 96x96 to 32x32 pixels."""
    file = folder / "solids.npz"
    if not file.is_file():
        draw = module(ROOT / "tests/data/miniature_files.py")._draw_toy
        names, sizes = ("category", "instance", "elevation", "azimuth", "lighting"), (5, 3, 5, 9, 3)
        factors = np.array(list(np.ndindex(*sizes)))
        toys = [np.asarray(draw(c, i, e, 2 * a, light, 0)) for c, i, e, a, light in factors]
        images = np.stack(toys).reshape(len(factors), 32, 3, 32, 3, 1).mean(axis=(2, 4))
        np.savez(file, images=images.astype(np.uint8), factors=factors, factor_names=names)
    return f"npz:{file}"


def data_settings(name, folder):
    if name in ("dsprites", "shapes3d"):
        return {"dataset": name, "source": "rendered", "image_size": 32}
    if name == "solids":
        return {"dataset": solids(folder)}
    if not (folder / "clocks/factors.csv").is_file():
        module(ROOT / "examples/clocks.py").main(folder / "clocks")
    return {"dataset": f"folder:{folder / 'clocks'}", "image_size": 32}


def proposed(name, folder, config):
    """The proposal for a data set with seed 0, made once and kept."""
    file = folder / f"{name}-proposal.json"
    if not file.is_file():
        began = time.perf_counter()
        found = propose(config, load_dataset(config), GIVEN, annealed_steps=1500)
        record = {**found.to_dict(), "took": time.perf_counter() - began}
        file.write_text(json.dumps(record, indent=2))
    return json.loads(file.read_text())


def carry_out(name, side, seed, folder):
    file = folder / f"{name}-{side}-{seed}.json"
    if file.is_file():
        return
    config = RunConfig(
        steps=SETS[name],
        learning_rate=1e-3,
        checkpoint_every=SETS[name],
        evaluation_images=4000,
        metrics=("mig", "reconstruction_error"),
        **data_settings(name, folder),
    )
    if side == "proposal":
        settings = dict(proposed(name, folder, config)["settings"])
        options = {key: settings.pop(key) for key in ("betas",) if key in settings}
        config = config.replace(**settings, model_options=options)
    began = time.perf_counter()
    with Run.new(config.replace(seed=seed), folder / "runs" / file.stem, overwrite=True) as run:
        run.train(progress=False)
        scores = run.evaluate()
    record = {"name": name, "side": side, "seed": seed, "steps": SETS[name], "scores": scores}
    record["model"] = run.config.to_dict()["model_options"]
    record["likelihood"] = run.config.model.likelihood
    record["took"] = time.perf_counter() - began
    file.write_text(json.dumps(record, default=str))
    print(file.stem, round(record["took"]), flush=True)


def numbers(record):
    """MIG and squared error per image of layer 0: the likelihood may differ between the sides."""
    layer = record["scores"]["layers"][0]
    return layer["mig.score"], layer["reconstruction_error.squared_error"]


def cell(values):
    return f"{np.mean(values):.3g} ± {np.std(values, ddof=1) if len(values) > 1 else 0:.2g}"


def table(folder):
    """Prints means, standard deviations, the ratio of errors, and Welch's test of the MIGs."""
    rows = [json.loads(file.read_text()) for file in sorted(folder.glob("*-[0-9].json"))]
    print(
        "| set | steps | settings | seeds | betas | likelihood | MIG | squared error "
        "| error, ratio | MIG lower, p |"
    )
    print("| --- " * 10 + "|")
    for name in SETS:
        sides = [[row for row in rows if (row["name"], row["side"]) == (name, s)] for s in SIDES]
        found = [np.array([numbers(row) for row in side]).T for side in sides]
        for side, these, both in zip(SIDES, sides, found, strict=True):
            if not these:
                continue
            compared = ["", ""]
            if side == "proposal" and len(found[0]):
                test = stats.ttest_ind(both[0], found[0][0], equal_var=False, alternative="less")
                compared = [f"{both[1].mean() / found[0][1].mean():.2f}", f"{test.pvalue:.2f}"]
            betas = ", ".join(f"{beta:g}" for beta in these[0]["model"]["betas"])
            cells = [
                name,
                SETS[name],
                side,
                len(these),
                betas,
                these[0]["likelihood"],
                cell(both[0]),
            ]
            print("|", " | ".join(map(str, [*cells, cell(both[1]), *compared])), "|")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--part", default="0/1")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    options.folder = options.folder.resolve()
    if options.table:
        return table(options.folder)
    options.folder.mkdir(parents=True, exist_ok=True)
    part, parts = map(int, options.part.split("/"))
    for seed in range(options.seeds):
        for name in list(SETS)[part::parts]:
            for side in SIDES:
                carry_out(name, side, seed, options.folder)


if __name__ == "__main__":
    main()
