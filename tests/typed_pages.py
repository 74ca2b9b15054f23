"""Types what a page shows: its commands and its Python, from top to bottom, in one folder.

Training is cut to what a test has time for; everything else is typed as it stands.
"""

import re
import runpy
import shlex
import sys
import threading
import tomllib
from pathlib import Path

import pytest
from documentation import ROOT, fenced

from keras_devae.cli.main import main

#: First words of commands that are not typed here -> the reason. They are still parsed.
NOT_TYPED = {
    ("--backend",): "needs JAX",
    ("annealing-test",): "takes minutes",
    ("bench",): "takes minutes",
    ("data", "prepare"): "downloads",
    ("data", "verify"): "needs what is downloaded",
    ("evaluate", "--encoder", "network.pt2"): "needs PyTorch",
    ("explore",): "serves until Ctrl-C, and needs Gradio",
    ("reproduce", "figure2"): "takes hours",
    ("reproduce", "table1"): "takes hours",
    ("reproduce", "table2"): "takes hours",
    ("study", "run", "examples/every_model.toml"): "takes hours",
    ("study", "run", "examples/presets.toml"): "takes hours",
    ("train", "--dataset", "cars3d"): "downloads",
    ("train", "--dataset", "shapes3d", "--preset", "quick"): "is typed with a name for the run",
}
#: Programs that are not typed: they set a machine up, or come from elsewhere.
OTHER_PROGRAMS = (".", "bash", "hf", "mkdocs", "mypy", "pytest", "python3", "ruff", "uv")
#: Arguments of the functions `main` of scripts that a page starts, to make them quick.
SCRIPTS = {
    "clocks.py": {"count": 150},
    "custom_data.py": {"epochs": 1},
    "draw_shapes.py": {"count": 120},
}
#: Options of `train` with other values than on the page.
SHORTER = {"--epochs": "3", "--track-every": "50", "--warmup-steps": "2"}
#: Options of `train` that look at every image of the data set -> few images.
WHOLE = ("--epochs", "--validation-split")
#: Options behind every `train`, as far as the page does not choose them and the model takes them.
SMALL = {
    "--steps": "150",
    "--batch-size": "16",
    "--image-size": "32",
    "--network": "mlp",
    "--network-units": "64,64",
    "--learning-rate": "3e-3",
    "--evaluation-images": "300",
}
#: Settings in the place of those of a study file.
STUDY = """
steps = 6
batch_size = 8
image_size = 32
network = "mlp"
network_units = [16]
evaluation_images = 200
"""


class TypedPage:
    """One page, typed into a folder that is the working directory."""

    def __init__(self, page, folder):
        self.page, self.names, self.server = page, {}, None
        for script in (ROOT / "examples").glob("*.py"):
            (folder / "examples").mkdir(exist_ok=True)
            (folder / "examples" / script.name).symlink_to(script)
        for study in (ROOT / "examples").rglob("*.toml"):
            copy = folder / study.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(quick_study(study.read_text(encoding="utf-8")), encoding="utf-8")

    def type_all(self):
        """Types every block; a block with a title is a file that the reader writes."""
        for number, (language, title, code) in enumerate(fenced(self.page), start=1):
            if title is not None:
                Path(title).write_text(
                    quick_study(code) if language == "toml" else code, encoding="utf-8"
                )
            elif language == "python":
                self.python(code, f"{self.page}, block {number}")
            elif language == "sh":
                for line in code.replace("\\\n", " ").splitlines():
                    self.line(line)

    def python(self, code, where):
        """Types Python into the session of the page."""
        if self.server is not None:
            code = code.replace("http://127.0.0.1:8000", self.address)
        exec(compile(code, where, "exec"), self.names)

    def line(self, line):
        """Types a line of a shell."""
        for part in line.split("&&"):
            words = shlex.split(part, comments=True)
            program = words[0].rpartition("/")[2] if words else None
            if program == "keras-devae":
                self.command(words[1:])
            elif program == "python":
                self.script(*words[1:])
            elif program == "pip":
                check_extras(words)
            elif program is not None and program not in OTHER_PROGRAMS:
                pytest.fail(f"{self.page} shows a program that its test cannot type: {part}")

    def command(self, words):
        """Types a command of this package, with few steps."""
        if any(" ".join(words).startswith(" ".join(start)) for start in NOT_TYPED):
            return
        with pytest.raises(SystemExit) as ending:
            main(quick_command(words))
        assert ending.value.code == 0, f"{self.page}: keras-devae {' '.join(words)}"

    def script(self, path, *arguments):
        """Starts a script of the examples; a server runs until `close`."""
        script = runpy.run_path(path)
        name = Path(path).name
        if name == "serve_encoder.py":
            self.server = script["make_server"](arguments[0])
            threading.Thread(target=self.server.serve_forever, daemon=True).start()
        else:
            script["main"](*arguments, **SCRIPTS.get(name, {}))

    @property
    def address(self):
        """The address of the server that the page has started, at a free port."""
        return f"http://127.0.0.1:{self.server.server_port}"

    def close(self):
        """Ends the server that the page has started, if any."""
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()


def quick_command(words):
    """Returns the words of a command, changed so that a test has time for it."""
    if words[:2] == ["study", "run"]:
        words = re.sub(r" --workers \d+", "", " ".join(words)).split()
        return [*words, *([] if "--engine" in words else ["--engine", "inline"])]
    if words[0] == "evaluate" and "--codes" not in words:
        few = {"--images": "300", "--metric-settings": "fast", "--layer": "0"}
        return with_defaults(words, few)
    if words[0] == "train" and "--resume" in words:
        return replaced(replaced(words, "--steps", "160"), "--epochs", "50")
    if words[0] in ("train", "suggest"):
        return quick_training(words)
    return words


def quick_training(words):
    """Returns the words of `train` or `suggest` with few steps on small images."""
    options = dict(SMALL)
    if "--decoder" in words or ("--network" in words and "mlp" not in words):
        # The page is about these networks, which take longer.
        options |= {"--steps": "2", "--evaluation-images": "50"}
        del options["--network"], options["--network-units"]
    # Under so little pressure, some latents are active after few steps.
    if not {"--model", "--betas"} & set(words):
        options["--betas"] = "0.01,0.02,0.04"
    if "beta_vae" in words and "--beta" not in words:
        options["--beta"] = "0.01"
    if words[0] == "suggest":
        del options["--evaluation-images"]
    if "--epochs" in words:
        del options["--steps"]
    if set(WHOLE) & set(words):
        words = [*words, "--variant", "subset:64"]
    for name, value in {**options, **SHORTER}.items():
        if name != "--learning-rate":
            words = replaced(words, name, value)
    return with_defaults(words, options)


def with_defaults(words, options):
    """Returns words and those of the options that are not among them."""
    added = [(name, value) for name, value in options.items() if name not in words]
    return [*words, *(word for pair in added for word in pair)]


def replaced(words, name, value):
    """Returns words in which an option has another value."""
    return [value if words[max(i - 1, 0)] == name else word for i, word in enumerate(words)]


def quick_study(text):
    """Returns the text of a study file in which every run is short."""
    if "[settings]" not in text:
        return text
    keys = "|".join(tomllib.loads(STUDY))
    text = re.sub(rf"^({keys}|preset|learning_rate) = .*\n", "", text, flags=re.M)
    text = text.replace("seed = [0, 1, 2]", "seed = [0, 1]")
    return text.replace("[settings]", f"[settings]{STUDY}", 1)


def check_extras(words):
    """Checks that `pip install` asks for extras that there are."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = {name for word in words for name in re.findall(r"[\w-]+", "".join(word.split("[")[1:]))}
    assert asked <= set(project["optional-dependencies"]), words


def prepare_to_type(monkeypatch, folder):
    """Makes a folder the working directory, and scripts and modules in it importable."""
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    monkeypatch.syspath_prepend(str(folder))
    for module in ("my_networks", "my_model"):
        monkeypatch.delitem(sys.modules, module, raising=False)
