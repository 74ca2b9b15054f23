"""Kills a training 20 times at random moments and compares it with one that was left alone.

Uses `tests/cli/killing.py`: the moments are steps, checkpoints half written, and the instants
before and after a file gets its name, among them history, checkpoints and tracked tables.
Each process goes on with `--resume`. At the end history.csv, the tracked tables and the weights
must be the same, bit by bit.

    python tests/benchmarks/kill_resume.py --kills 20 --seed 0
"""

import argparse
import io
import random
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import h5py

KILLER = Path(__file__).parents[1] / "cli" / "killing.py"
WORDS = [
    *("--dataset", "dsprites", "--source", "rendered", "--image-size", "32"),
    *("--batch-size", "8", "--latent-dim", "3", "--evaluation-images", "50", "--metrics", "kl"),
    *("--checkpoint-every", "10", "--deterministic", "--track", "mig,kl", "--track-every", "7"),
]


def random_moments(count, seed):
    """Draws the moments at which processes die."""
    draw = random.Random(seed)
    kinds = {"step": (1, 30), "unfinished": (1, 2), "unnamed": (1, 14), "named": (1, 14)}
    chosen = [draw.choice(list(kinds)) for _ in range(count)]
    return [f"{kind}:{draw.randint(*kinds[kind])}" for kind in chosen]


def train(moments, folder, words):
    """Runs the attempts; returns how each ended, a list of lines."""
    command = [sys.executable, str(KILLER), ",".join(moments), str(folder), *words]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    endings = [x for x in result.stdout.splitlines() if x.split(" ")[0] in [*moments, "none"]]
    return [*endings, *errors]


def weights_in(file):
    """Returns the bytes of the weights and the optimizer in a `.keras` file."""
    found = {}

    def note(name, item):
        if isinstance(item, h5py.Dataset):
            found[name] = item[()].tobytes()

    with zipfile.ZipFile(file) as archive:
        content = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(content) as stored:
        stored.visititems(note)
    return found


def main():
    """Prints how the processes ended, and whether all is the same; exits 1 if it is not."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--model", default="factor_vae")
    given = parser.parse_args()
    words = [*WORDS, "--steps", str(given.steps), "--model", given.model]
    if given.model == "factor_vae":
        words += ["--discriminator-units", "16,16"]
    moments = random_moments(given.kills, given.seed)
    with tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        endings = train(moments, f"{folder}/a", words)
        print("\n".join(endings))
        print(f"killed: {sum(line.endswith(' -9') for line in endings)} of {given.kills}")
        alike = []
        train([], f"{folder}/b", words)
        killed, whole = Path(folder, "a", "killed"), Path(folder, "b", "killed")
        for name in ("history.csv", "tracking/kl.csv", "tracking/metrics.csv"):
            same = (killed / name).read_bytes() == (whole / name).read_bytes()
            alike.append(same)
            print(f"{name}: {'the same' if same else 'DIFFERENT'}")
        same = weights_in(killed / "model.keras") == weights_in(whole / "model.keras")
        alike.append(same)
        print(f"weights and optimizers: {'the same' if same else 'DIFFERENT'}")
        print(f"left behind: {[p.name for p in killed.rglob('.*') if p.name != '.lock']}")
        print(f"{time.monotonic() - start:.0f} s")
    sys.exit(0 if all(alike) else 1)


if __name__ == "__main__":
    main()
