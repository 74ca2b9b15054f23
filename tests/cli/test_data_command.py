"""`keras-devae data`, and training on what it prepares, as a user meets them."""

import json

import numpy as np
import pytest
from PIL import Image
from running import run

from keras_devae import data
from keras_devae.runs import RunDirectory

pytestmark = pytest.mark.backends

TINY = [
    *("--network", "mlp", "--batch-size", "8", "--latent-dim", "2", "--steps", "4"),
    *("--checkpoint-every", "4", "--evaluation-images", "50", "--metrics", "mig"),
]


@pytest.fixture(autouse=True)
def _private_data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_DEVAE_DATA", str(tmp_path / "data"))


@pytest.fixture
def cars(miniature, tmp_path):
    return miniature.write_cars3d(tmp_path)


def test_list_says_where_images_come_from(cars, tmp_path, capsys):
    assert run("data", "prepare", "cars3d", "--from", tmp_path) == 0
    capsys.readouterr()
    assert run("data", "list") == 0
    lines = capsys.readouterr().out.splitlines()
    of = {line.split()[0]: line for line in lines if line}
    assert "737,280 images of 64x64x1" in of["dsprites"] and "drawn by" in of["dsprites"]
    assert str(tmp_path / "data" / "cars3d") in of["cars3d"]
    assert "not prepared" in of["mpi3d_real"]
    assert "Prepare a data set with: keras-devae data prepare NAME" in lines
    assert {"npz:PATH", "npy:PATH", "folder:PATH"} < set(of)
    assert run("data", "list", "--json") == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == list(data.names())


def test_info_shows_licence_citation_origin_size_and_hash(capsys):
    assert run("data", "info", "smallnorb") == 0
    printed = capsys.readouterr().out
    for text in (
        "SmallNORB",
        "48,600 of 64x64x1",
        "category (5), instance (10)",
        "research purposes",
        "LeCun",
        "https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/smallnorb-5x46789x9x18x6x2x96x96-training",
        "131,896,188",
        "5ffd6272a07d32695ee1082a26a41a93a37aab8c28da047f8c34ed348d214873",
        "not yet",
    ):
        assert text in printed, text
    assert run("data", "info", "smalnorb") == 2
    assert "Did you mean 'smallnorb'" in capsys.readouterr().err


def test_prepare_verify_and_remove(cars, tmp_path, capsys):
    assert run("data", "verify", "cars3d") == 2
    assert run("data", "prepare", "cars3d", "--from", cars.paths[0]) == 0
    store = tmp_path / "data" / "cars3d"
    assert capsys.readouterr().out.strip() == str(store)
    assert run("data", "verify", "cars3d") == 0
    assert f"{store / 'images.npy'}: as it was prepared" in capsys.readouterr().out
    with (store / "images.npy").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"?")
    assert run("data", "verify", "cars3d") == 1
    assert "is damaged" in capsys.readouterr().err
    assert run("data", "prepare", "cars3d", "--from", cars.paths[0], "--force-download") == 0
    assert run("data", "verify", "cars3d", "--json") == 0
    assert run("data", "remove", "cars3d") == 0
    assert f"removed {store}" in capsys.readouterr().out and not store.exists()
    assert run("data", "remove", "cars3d") == 0
    assert "Nothing is prepared" in capsys.readouterr().out


def test_a_missing_or_damaged_file_is_one_sentence(tmp_path, capsys):
    assert run("data", "prepare", "cars3d", "--from", tmp_path / "nothing") == 2
    file = tmp_path / "nips2015-analogy-data.tar.gz"
    file.write_bytes(b"no archive")
    assert run("data", "prepare", "cars3d", "--from", file) == 1
    first, checking, second = capsys.readouterr().err.strip().splitlines()
    assert "nips2015-analogy-data.tar.gz, published at http" in first
    assert checking == "Checking nips2015-analogy-data.tar.gz"
    assert str(file) in second and "Download it again" in second


@pytest.mark.thorough
def test_train_on_a_prepared_set_with_variants(cars, tmp_path, capsys):
    assert run("data", "prepare", "cars3d", "--from", tmp_path) == 0
    words = ["--factors", "azimuth,object_type,elevation=1", "--variant", "held-out:azimuth=3+4"]
    words += ["--variant", "subset:60", "--run", "r", "--runs-dir", tmp_path / "runs"]
    assert run("train", "--dataset", "cars3d", *TINY, *words) == 0
    said = capsys.readouterr().out
    assert "cars3d: official file" in said and "60 images" in said
    record = json.loads((tmp_path / "runs" / "r" / "config.json").read_text())
    assert record["settings"]["data"]["variants"] == ["held-out:azimuth=3+4", "subset:60"]
    dataset = RunDirectory.open(tmp_path / "runs" / "r").load_dataset()
    factors = dataset.factors(range(60))
    assert dataset.factor_names == ("azimuth", "object_type") and not {3, 4} & set(factors[:, 0])
    words = ["--variant", "held-out-only:azimuth=3+4", "--json"]
    assert run("evaluate", tmp_path / "runs" / "r", *words) == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores["settings"]["data"]["variants"][-1]["combinations"] == [{"azimuth": [3, 4]}]
    assert run("evaluate", tmp_path / "runs" / "r", "--variant", "none") == 0
    assert "72 images" in capsys.readouterr().out
    assert run("evaluate", tmp_path / "runs" / "r", "--variant", "none", "--variant", "noise") == 2
    resumed = ["train", "--resume", tmp_path / "runs" / "r"]
    assert run(*resumed, "--variant", "noise") == 2
    assert "--variant." in capsys.readouterr().err
    assert run("data", "remove", "cars3d") == 0
    assert run("evaluate", tmp_path / "runs" / "r") == 2
    assert "data prepare cars3d" in capsys.readouterr().err


def test_variants_for_evaluation_must_fit_the_model(tmp_path, capsys):
    words = ["train", "--dataset", "dsprites", "--source", "rendered", "--image-size", "32", *TINY]
    words += ["--variant", "subset:80", "--variant", "noise", "--run", "r", "--runs-dir", tmp_path]
    assert run(*words) == 0
    capsys.readouterr()
    assert run("evaluate", tmp_path / "r", "--variant", "subset:80") == 2
    error = capsys.readouterr().err
    assert "(32, 32, 3)" in error and "(32, 32, 1)" in error and "noise" in error


@pytest.mark.thorough
@pytest.mark.filterwarnings("default:.*are left out")
def test_train_on_a_folder_with_everything(tmp_path, capsys, monkeypatch):
    rng = np.random.default_rng(0)
    folder = tmp_path / "mine"
    folder.mkdir()
    lines = ["file,angle,kind"]
    for i in range(40):
        Image.fromarray(rng.integers(0, 256, (40 + i, 50, 3), dtype=np.uint8)).save(
            folder / f"{i:02}.png"
        )
        lines.append(f"{i:02}.png,{i / 7:.3f},{'cat' if i % 2 else 'dog'}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    (folder / "07.png").write_bytes(b"broken")
    words = ["train", "--dataset", f"folder:{folder}", "--image-size", "32", *TINY]
    words += ["--factors-file", tmp_path / "labels.csv", "--runs-dir", tmp_path / "runs"]
    assert run(*words) == 1 or "bins" in capsys.readouterr().err
    words += ["--bins", "angle=5"]
    assert run(*words) == 1
    error = capsys.readouterr().err
    assert "07.png" in error and "--skip-damaged" in error
    monkeypatch.chdir(tmp_path)
    assert run(*words, "--skip-damaged", "--run", "r") == 0
    captured = capsys.readouterr()
    assert "07.png" in captured.err and "39 images" in captured.out
    dataset = RunDirectory.open(tmp_path / "runs" / "r").load_dataset()
    assert dataset.factor_names == ("angle", "kind") and dataset.factor_sizes == (5, 2)


@pytest.mark.thorough
def test_train_with_the_data_on_the_device(tmp_path, capsys):
    words = ["train", "--dataset", "dsprites", "--source", "rendered", "--image-size", "32"]
    words += [*TINY, "--variant", "subset:100", "--runs-dir", tmp_path]
    assert run(*words, "--run", "streamed") == 0
    assert run(*words, "--run", "resident", "--resident") == 0
    histories = [(tmp_path / name / "history.csv").read_text() for name in ("streamed", "resident")]
    rows = [np.array(history.splitlines()[-1].split(","), float) for history in histories]
    np.testing.assert_allclose(*rows, rtol=1e-5)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--variant", "color"], "Did you mean 'colour'"),
        (["--variant", "subset:many"], "subset"),
        (["--factors", "shape,size"], "size"),
        (["--bins", "angle"], "NAME=COUNT"),
        (["--dataset", "cars3d"], "data prepare cars3d"),
        (["--dataset", "dsprites", "--bins", "shape=3"], "images of your own"),
        (["--dataset", "dsprites", "--skip-damaged"], "images of your own"),
    ],
)
def test_wrong_use_is_refused_before_anything_long(words, message, tmp_path, capsys):
    assert run("train", *TINY, *words, "--runs-dir", tmp_path / "runs") == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error
    assert not (tmp_path / "runs").exists()


def test_missing_official_file_names_file_and_folder(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("KERAS_DEVAE_SHAPES3D_URL", "http://127.0.0.1:9/3dshapes.h5")
    words = ["train", "--dataset", "shapes3d", "--source", "official", "--data-dir", tmp_path]
    assert run(*words, "--runs-dir", tmp_path / "runs") != 0
    error = capsys.readouterr().err
    assert "3dshapes.h5" in error and str(tmp_path) in error and "Traceback" not in error
