"""`keras-devae export` prints lines that load what it wrote."""

import json
import subprocess
import sys

import pytest
from running import run

pytest.importorskip("tensorflow")

ALONE = 'import sys\nsys.modules["keras_devae"] = sys.modules["keras"] = None\n'


def test_the_printed_lines_run_as_they_are_pasted(workplace, capsys, tmp_path_factory):
    words = ["--dataset", "npz:images.npz", "--network", "mlp", "--latent-dim", "2"]
    words += [
        "--steps",
        "2",
        "--batch-size",
        "16",
        "--metrics",
        "reconstruction_error",
        "--run",
        "a",
    ]
    assert run("train", *words) == 0
    capsys.readouterr()
    assert run("export", "runs/a", "my encoder", "--json") == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["folder"], made["format"], made["layer"]) == ("my encoder", "tf_saved_model", 0)
    assert run("export", "runs/a", "it's an encoder", "--layer", "1") == 0
    captured = capsys.readouterr()
    folder, _, printed = captured.out.partition("\n\n")
    assert folder == "it's an encoder"
    assert printed.startswith("# pip install numpy tensorflow\n")
    with open("runs/a/config.json") as file:
        precision = json.load(file)["settings"]["compute"]["mixed_precision"]
    assert ("the export in float32" in captured.err) == (precision != "off")
    for code in (made["load"], printed):
        code = f"{ALONE}{code}assert codes.shape == (7, 2)\n"
        elsewhere = tmp_path_factory.mktemp("elsewhere")
        subprocess.run([sys.executable, "-c", code], check=True, cwd=elsewhere)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--format", "tflite"], "litert"),
        (["--quantize", "float16"], "Only the format litert can be quantized"),
        (["--format", "litert", "--quantize", "int4"], "int8"),
    ],
)
def test_wrong_formats_are_refused_before_the_run_is_opened(words, sentence, tmp_path, capsys):
    assert run("export", tmp_path / "nowhere", tmp_path / "encoder", *words) == 2
    assert sentence in capsys.readouterr().err
