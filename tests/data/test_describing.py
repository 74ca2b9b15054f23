import json

import numpy as np
import pytest
from PIL import Image

from keras_devae.cli import main
from keras_devae.data import info, remove
from keras_devae.errors import FailureError, UsageError


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "some clocks"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(8):
        shape = (20, 30 if number < 6 else 40, 3)
        Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(folder / f"{number}.png")
    Image.new("RGB", (30, 20), (9, 9, 9)).save(folder / "4.png")
    (folder / "5.png").write_bytes((folder / "3.png").read_bytes())
    lines = [f"{n}.png,{n / 7:.4f},{('red', 'blue')[n % 2]},{n % 3},1" for n in range(8)]
    (folder / "factors.csv").write_text("\n".join(["file,angle,colour,kind,same", *lines]))
    return folder


def found_by(facts, text):
    return [problem for problem in facts["problems"] if text in problem]


def test_says_what_is_there(folder):
    facts = info(f"folder:{folder}", factor_kinds={"angle": "continuous"})
    assert facts["images"] == 8 and facts["sizes"] == {"20x30": 6, "20x40": 2}
    assert facts["modes"] == {"RGB": 8} and facts["examined"] == 8
    assert facts["value_range"] == [0, 255] and facts["duplicates"] == 1
    factors = facts["factors"]
    assert factors["angle"]["kind"] == "continuous" and factors["angle"]["range"] == [0, 1]
    assert factors["colour"]["kind"] == "classes"
    assert factors["colour"]["labels"] == ["blue", "red"]
    assert factors["kind"]["kind"] == "numbers" and factors["kind"]["values"] == 3
    for text in (
        "only 8 images",
        "never vary and cannot be scored: same",
        "1 of the images is flat",
        "1 of the images repeats",
    ):
        assert found_by(facts, text)
    assert facts["next"].startswith(f"keras-devae train --dataset 'folder:{folder}' ")
    assert json.loads(json.dumps(facts)) == facts


def test_names_what_is_damaged_or_left_out(folder):
    (folder / "2.png").write_bytes((folder / "2.png").read_bytes()[:200])
    (folder / "6.png").write_text("no picture")
    (folder / "photo.heic").write_text("")
    facts = info(f"folder:{folder}", image_size=16)
    assert set(facts["damaged"]) == {"2.png", "6.png"} and facts["image_shape"] == [16, 16, 3]
    assert found_by(facts, "2 pictures cannot be decoded") and found_by(facts, ".heic")
    assert facts["next"].endswith("--image-size 16 --skip-damaged")


def test_says_how_a_table_beside_the_pictures_is_used(folder, capsys):
    (folder / "factors.csv").rename(folder / "labels.csv")
    (folder / "5.png").write_bytes((folder / "5.png").read_bytes()[:200])
    with pytest.raises(SystemExit):
        main(["data", "info", f"folder:{folder}", "--image-size", "24", "--json"])
    shown = json.loads(capsys.readouterr().out)
    assert found_by(
        shown, f"Not read: labels.csv; to use it as factors, give --factors-file '{folder}"
    )
    assert found_by(shown, "8 pictures are enlarged to 24x24")
    assert found_by(shown, "1 picture cannot be decoded: 5.png (")
    assert not found_by(info(f"folder:{folder}", factors_file=folder / "labels.csv"), "Not read")


def test_one_image_and_one_value_are_in_the_singular(tmp_path, capsys):
    Image.new("L", (8, 8), 9).save(tmp_path / "a.png")
    Image.new("L", (8, 8), 9).save(tmp_path / "b.png")
    (tmp_path / "factors.csv").write_text("file,size\na.png,1\nb.png,1\n")
    with pytest.raises(SystemExit):
        main(["data", "info", f"folder:{tmp_path}"])
    shown = capsys.readouterr().out
    assert "size: 1 number, 1..1" in shown and "2 pictures are enlarged to 16x16" in shown
    with pytest.raises(UsageError, match=r"a\.png is a file: give the folder .*folder:"):
        info(f"folder:{tmp_path / 'a.png'}")


@pytest.mark.parametrize("kind", ["npz", "npy"])
def test_describes_arrays(tmp_path, kind):
    images = np.random.default_rng(0).integers(0, 20, (6, 16, 20, 16), np.uint8)
    images[5] = images[0]
    np.savez(tmp_path / "x.npz", images=images)
    np.save(tmp_path / "x.npy", images)
    facts = info(f"{kind}:{tmp_path / f'x.{kind}'}")
    assert facts["sizes"] == {"16x20": 6} and facts["modes"] == {"16 channels": 6}
    assert facts["value_range"] == [0, 19] and facts["duplicates"] == 1
    assert found_by(facts, "0..19 of 0..255") and found_by(facts, "no factors")


def test_refuses_what_it_cannot_describe(tmp_path):
    with pytest.raises(UsageError, match="no folder"):
        info(f"folder:{tmp_path / 'none'}")
    with pytest.raises(UsageError, match="belong to images of your own"):
        info("dsprites", image_size=32)
    (tmp_path / "x.npy").write_text("no array")
    with pytest.raises(FailureError, match=r"not a complete \.npy file"):
        info(f"npy:{tmp_path / 'x.npy'}")


def run(*words):
    with pytest.raises(SystemExit) as left:
        main(list(words))
    return left.value.code or 0


def test_commands_describe_list_and_remove(folder, capsys):
    from keras_devae.data import load

    name = f"folder:{folder}"
    assert run("data", "info", name, "--bins", "angle=3", "--image-size", "16x24") == 0
    text = capsys.readouterr().out
    assert "angle: continuous, 0..1, 3 bins where needed" in text and "2 classes, blue, red" in text
    assert f"keras-devae train --dataset '{name}' --bins angle=3 --image-size 16x24" in text
    assert run("data", "info", name, "--json") == 0
    assert json.loads(capsys.readouterr().out)["images"] == 8
    load(name)
    assert run("data", "list") == 0
    assert f"8x20x30x3  {folder}" in capsys.readouterr().out
    assert run("data", "remove", name) == 0 and "removed" in capsys.readouterr().out
    assert remove(name) == [] and len(list(folder.glob("*.png"))) == 8
