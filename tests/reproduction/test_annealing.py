"""Freezing points of made-up curves, the rule for betas, and a test that is carried out."""

import json
import math
import shlex
import shutil

import numpy as np
import pytest

from keras_devae.cli import main
from keras_devae.errors import FailureError, UsageError
from keras_devae.files import read_json
from keras_devae.reproduction.annealing_test import KNOWN_SHARE, read_test
from keras_devae.runs import RunDirectory
from keras_devae.runs.diagnosis import examine
from keras_devae.suggestions.freezing import default_range, freezing_point, suggest_betas

BETAS = np.geomspace(256, 1, 9)


def test_freezing_point_of_a_known_curve():
    # On the logarithmic scale a line through 0 at beta 32; it reaches 0.1 where beta is 16.
    shares = np.clip(0.1 * np.log2(32 / BETAS), 0, 1)
    assert freezing_point(BETAS, shares, KNOWN_SHARE) == pytest.approx(16)
    assert freezing_point(BETAS, shares, threshold=0.25) == pytest.approx(32 * 2**-2.5)


def test_freezing_point_between_two_readings():
    assert freezing_point(np.array([16.0, 1.0]), np.array([0, 0.4]), KNOWN_SHARE) == pytest.approx(
        8
    )


def test_factors_without_a_freezing_point():
    assert freezing_point(BETAS, np.full(9, 0.3), KNOWN_SHARE) == math.inf
    assert freezing_point(BETAS, np.full(9, 0.09), KNOWN_SHARE) is None


def test_one_reading_is_no_thaw():
    shares = np.zeros(9)
    shares[2] = 0.5
    assert freezing_point(BETAS, shares, KNOWN_SHARE) is None
    shares[6:] = 1
    assert 4 < freezing_point(BETAS, shares, KNOWN_SHARE) < 8
    # The last one has none behind it.
    assert freezing_point(BETAS, np.eye(9)[8], KNOWN_SHARE) < 2


@pytest.mark.parametrize(
    ("points", "betas"),
    [
        ([100, 90, 25, 4], [1, 10, 47]),
        ([4, 25, 90, 100], [1, 10, 47]),
        ([50, 40, 30, 25], [1, 22]),
        ([40], [1, 36]),
        # Just above the end, and the same in two digits.
        ([1.05], []),
        ([1.14], []),
        ([1.3], [1, 1.2]),
        ([], []),
    ],
)
def test_betas_lie_in_the_gaps(points, betas):
    assert suggest_betas(points, 1.0) == betas


def test_every_layer_lets_its_group_through_and_no_other():
    groups = [[180, 150], [60], [20, 18, 14], [3]]
    betas = suggest_betas([point for group in groups for point in group], 0.5)[1:]
    for pressure, first, second in zip(reversed(betas), groups, groups[1:], strict=False):
        assert min(first) > pressure > max(second)


def test_range_goes_with_the_pixels():
    assert default_range((64, 64, 1)) == (200, 1)
    assert default_range((32, 32, 3)) == (50, 0.25)


# A run.


def call(*words):
    with pytest.raises(SystemExit) as ending:
        main([str(word) for word in words])
    return ending.value.code


@pytest.fixture(scope="module")
def images_file(tmp_path_factory):
    """Bright and dark halves: two factors, of which one is a matter of many pixels."""
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 2, (1000, 2))
    images = np.zeros((1000, 16, 16, 1), np.uint8)
    images[:, :, :14] = 255 * factors[:, 0, None, None, None]
    images[:, :, 14:] = 255 * factors[:, 1, None, None, None]
    file = tmp_path_factory.mktemp("data") / "halves.npz"
    names = np.array(["wide", "narrow"])
    np.savez(file, images=images, factors=factors, factor_names=names)
    return file


@pytest.fixture(scope="module")
def words(images_file):
    common = ["--network", "mlp", "--latent-dim", 2, "--batch-size", 16, "--learning-rate", 3e-3]
    return ["annealing-test", "--dataset", f"npz:{images_file}", *common]


def carry_out(words, folder, steps):
    ends = ["--beta-start", 400, "--beta-end", 2, "--steps", steps, "--readings", 10]
    assert call(*words, *ends, "--runs-dir", folder, "--run", "test") == 0
    return RunDirectory(folder / "test")


@pytest.fixture(scope="module")
def run(words, tmp_path_factory):
    """A test too short to find anything."""
    return carry_out(words, tmp_path_factory.mktemp("runs"), 10)


@pytest.mark.thorough
def test_the_wide_factor_comes_before_the_narrow_one(words, tmp_path):
    test = read_test(carry_out(words, tmp_path, 400))
    points = test.points
    assert 400 > points["wide"] > 1.5 * points["narrow"] > 2
    assert test.betas[-1] == pytest.approx(2) and (np.diff(test.betas) < 0).all()
    # All is frozen at first and known at the end.
    assert test.shares[0].max() < 0.05 and test.shares[-1].min() > 0.1
    assert points["wide"] > test.suggested[1] > points["narrow"] and test.suggested[0] == 2


def test_files_of_the_test(run):
    told = read_json(run.path / "freezing.json")
    assert [row["factor"] for row in told["factors"]] == ["wide", "narrow"]
    assert told["suggested_betas"] == read_test(run).suggested
    lines = (run.path / "freezing.csv").read_text().splitlines()
    assert lines[0] == "step,beta,wide,narrow" and len(lines) == 11
    assert (run.figures / "freezing.png").read_bytes()[:4] == b"\x89PNG"


def test_a_test_with_its_points_is_finished(run, tmp_path):
    def progress(run):
        return next(finding for finding in examine(run.path) if finding.what == "progress")

    assert progress(run).state == "ok"
    shutil.copytree(run.path, tmp_path / "killed")
    killed = RunDirectory(tmp_path / "killed")
    killed.freezing_file.unlink()
    assert progress(killed).state == "problem"
    assert f"annealing-test --resume {shlex.quote(str(killed.path))}" in progress(killed).sentence


def test_damaged_readings(run, tmp_path):
    kept = RunDirectory(tmp_path)
    kept.config_file.write_text(run.config_file.read_text())
    for content in (None, b"PK"):
        if content is not None:
            kept.tracking.mkdir()
            (kept.tracking / "sampled-information.npz").write_bytes(content)
        with pytest.raises(FailureError, match=r"cannot be read|damaged"):
            read_test(kept)


def test_resumed_test_is_the_whole_one(words, tmp_path, capsys):
    ends = ["--beta-start", 40, "--beta-end", 2, "--steps", 6, "--readings", 2]
    assert call(*words, *ends, "--runs-dir", tmp_path, "--run", "whole", "--json") == 0
    whole = json.loads(capsys.readouterr().out)
    run = RunDirectory(tmp_path / "whole")
    run.model_file.unlink()
    words = ["annealing-test", "--resume", str(run.path)]
    assert run.how_to_resume().endswith(f"Resume it with: {shlex.join(['keras-devae', *words])}")
    assert call(*words, "--json") == 0
    assert json.loads(capsys.readouterr().out) == whole
    assert whole["beta_end"] == 2 and whole["factors"][0]["factor"] == "wide"
    assert call("annealing-test", "--resume", run.path, "--steps", 9) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--beta-end", 900], "--beta-end must be below --beta-start, 12.5"),
        (["--beta-start", 0], "--beta-start"),
        (["--steps", 1], "--steps"),
        (["--readings", 1], "--readings"),
        (["--latent-dim", 0], "--latent-dim"),
    ],
)
def test_wrong_ranges(words, tmp_path, capsys, options, message):
    assert call(*words, *options, "--runs-dir", tmp_path) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_other_runs_and_data_without_factors(tmp_path, capsys):
    np.savez(tmp_path / "own.npz", images=np.zeros((8, 16, 16, 1), np.uint8))
    own = f"npz:{tmp_path / 'own.npz'}"
    assert call("annealing-test", "--dataset", own, "--runs-dir", tmp_path / "runs") == 2
    assert "no ground-truth factors" in capsys.readouterr().err
    settings = {"settings": {"model": "vae"}, "data": {}}
    (tmp_path / "config.json").write_text(json.dumps(settings))
    with pytest.raises(UsageError, match="not an annealing test"):
        read_test(RunDirectory(tmp_path))
