"""Study files, the keys and names of their runs, and what is refused before any of them starts."""

import hashlib
import itertools
import json
import re
from pathlib import Path

import pytest

from keras_devae.errors import FailureError, UsageError
from keras_devae.runs.config.flat_settings import config_from_settings
from keras_devae.studies import Study
from keras_devae.studies.run_keys import run_key

EXAMPLES = Path(__file__).parents[2] / "examples"


def key(**settings):
    return run_key(config_from_settings(settings))


def test_the_key_does_not_depend_on_how_a_setting_is_written():
    assert key(model="beta_vae", beta=4, seed=1) == key(seed=1, beta=4.0, model="beta_vae")
    assert key(learning_rate=1) == key(learning_rate=1.0)
    assert key(model="devae", betas=[1, 10]) == key(betas=(1.0, 10.0))
    assert key(preset="small") == key(
        steps=20_000, batch_size=64, learning_rate=5e-4, image_size=32
    )


def test_where_prepared_data_lie_is_no_part_of_the_key(study_file, workplace):
    assert key(data_dir="prepared") == key()
    for folder in ("here", "there"):
        (workplace / folder).mkdir()
        study = Study.from_file(study_file({}, data_dir=folder))
        study.write()
        # A run that waits looks where the file says now.
        (config,) = [config for _, config in Study.open(study.folder).plan.values()]
        assert config.data.data_dir == str(workplace / folder)


def test_a_model_that_is_fitted_in_one_go_has_one_step(make_study):
    sweep = {"list": [{"model": "pca", "network": "linear"}, {"model": "vae"}]}
    study = make_study(sweep, steps=300)
    assert [row["steps"] for row in study.status()] == [1, 300]


def test_every_setting_moves_the_key():
    settings = [
        {},
        {"seed": 1},
        {"steps": 2000},
        {"model": "vae"},
        {"betas": [1, 10]},
        {"betas": [1, 11]},
        {"metrics": ["mig"]},
        {"resident": True},
        {"dataset": "dsprites"},
        {"backend": "jax"},
    ]
    assert len({key(**each) for each in settings}) == len(settings)


def test_the_key_stays_what_it_is():
    # Done runs are known by it, so that another one would mean to run them again.
    text = '{"learning_rate":0.001,"model":"beta_vae","model_options":{"beta":4},"seed":1}'
    known = hashlib.sha256(text.encode()).hexdigest()
    assert key(model="beta_vae", seed=1, beta=4.0, learning_rate=1e-3, batch_size=64) == known


def test_paths_are_made_absolute(workplace, monkeypatch):
    relative, absolute = key(dataset="npz:images.npz"), key(dataset=f"npz:{workplace}/images.npz")
    assert relative == absolute
    (workplace / "below").mkdir()
    monkeypatch.chdir("below")
    assert key(dataset="npz:../images.npz") == absolute
    assert key(dataset="npz:images.npz") != absolute


def test_toml_and_yaml_say_the_same(workplace):
    Path("a.toml").write_text(
        'name = "same"\n[settings]\nlearning_rate = 1e-4\nmixed_precision = "off"\n'
        'metrics = ["mig"]\n[sweep]\nmodel = "beta_vae"\nproduct = {beta = [1, 4.0]}\n'
    )
    Path("a.yaml").write_text(
        "settings: {learning_rate: 1e-4, mixed_precision: off, metrics: [mig]}\n"
        "sweep:\n  product:\n    beta: [1, 4]\n  model: beta_vae\nname: same\n"
    )
    toml, yaml = Study.from_file("a.toml"), Study.from_file("a.yaml")
    assert list(toml.plan) == list(yaml.plan) and toml.folder == yaml.folder == Path("runs/same")
    config = yaml.plan[yaml.runs[0].name][1]
    assert config.training.learning_rate == 1e-4 and config.compute.mixed_precision == "off"


def test_settings_of_the_sweep_win(study_file):
    study = Study.from_file(study_file({"product": {"steps": [6, 8]}}, steps=4))
    assert [config.training.steps for _, config in study.plan.values()] == [6, 8]


def test_names_say_what_a_run_is(study_file):
    study = Study.from_file(study_file({"model": "beta_vae", "product": {"seed": [3, 4]}}))
    (first, (key, _)), _ = study.plan.items()
    assert re.fullmatch(r"beta_vae-npz-seed3-[0-9a-f]{12}", first)
    assert key.startswith(first.rpartition("-")[2])


def test_more_seeds_leave_the_others_what_they_are(study_file):
    few = Study.from_file(study_file({"product": {"seed": [0, 1]}}))
    many = Study.from_file(study_file({"product": {"seed": [2, 1, 0]}}))
    assert set(few.plan) < set(many.plan)


@pytest.mark.parametrize(
    ("sweep", "message"),
    [
        ({"product": {"seed": [0, -1]}}, r"In run 2 of 2 \(.*seed=-1\): `seed` must be"),
        ({"betta": 4}, "Unknown setting 'betta'. Did you mean 'beta'"),
        ({"prodct": {"seed": [1]}}, "Unknown setting 'prodct'"),
        ({"beta": 4}, "Unknown option of vae 'beta'"),
        ({"model": "bta_vae"}, "Did you mean 'beta_vae'"),
        ({"preset": "quik"}, "Did you mean 'quick'"),
        ({"steps": "100"}, "`steps` must be a whole number. Received: '100'"),
        ({"steps": True}, "`steps` must be a whole number"),
        ({"metrics": "mig"}, "`metrics` must be a list"),
        ({"resident": "yes"}, "`resident` must be true or false"),
        ({"bins": {"x": "3"}}, "`bins.x` must be a whole number"),
        ({"learning_rate": "fast"}, "`learning_rate` must be a number"),
        ({"dataset": "dsprite"}, "Did you mean 'dsprites'"),
        ({"dataset": "nzp:images.npz"}, "Did you mean 'npz'"),
        ({"dataset": "npz:elsewhere.npz"}, "nothing at elsewhere.npz"),
        ({"factors_file": "none.csv"}, "no file none.csv, which `factors_file` names"),
        ({"data_dir": "nowhere"}, "no folder nowhere, which `data_dir` names"),
        ({"preset": ["quick"]}, "Unknown preset"),
        ({"metrics": ["migg"]}, "Did you mean 'mig'"),
        ({"list": [{"seed": 1}, {"seed": 2}, {"seed": 1}]}, "Runs 1 and 3 .*the same"),
        ({"list": [{"steps": 4}, {}]}, "Runs 1 and 2 .*the same"),
    ],
)
def test_every_run_is_checked_before_the_first_one_starts(study_file, sweep, message):
    with pytest.raises(UsageError, match=message):
        Study.from_file(study_file(sweep))
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("a.toml", "name = \n", "a.toml cannot be read: .*line 1"),
        ("a.yaml", "a: [1", r"a.yaml cannot be read: .*line"),
        ("a.yaml", "name: a\nname: b\n", "duplicate key"),
        ("a.yaml", "- 1\n", "must hold the tables"),
        ("a.toml", "[sweeps]\n", "Did you mean 'sweep'"),
        ("a.toml", "settings = 3\n", "`settings` must be a table"),
        ("a.toml", 'name = "../up"\n', "`name` of a study is the name of a folder"),
        ("a.json", "{}", "ends in .toml, .yaml or .yml"),
        ("a.toml", "", "a.toml is empty"),
        ("a.yaml", "# nothing\n", "a.yaml is empty"),
        ("a.yaml", f"a: {'[' * 5000}{']' * 5000}", "nested deeper than 32 levels"),
        ("a.toml", f"a = {'[' * 5000}{']' * 5000}", "nested|cannot be read"),
        ("a.yaml", f"a: [{'1, ' * 100_001}]", "more than 100,000 entries"),
        (
            "a.toml",
            f"[sweep.product]\nseed = {[*range(1000)]}\nsteps = {[*range(1, 1001)]}\n",
            "1,000,000 runs, but a study has at most 20,000",
        ),
        (
            "a.yaml",
            "a: &a [x, x]\n"
            + "".join(f"{n}: &{n} [*{p}, *{p}]\n" for p, n in itertools.pairwise("abcdefghijk"))
            + "settings: *k\n",
            "unknown|Unknown|part of a study file|entries",
        ),
    ],
)
def test_a_file_of_another_form_is_refused(workplace, file, text, message):
    Path(file).write_text(text)
    with pytest.raises(UsageError, match=message):
        Study.from_file(file)


def test_a_file_that_is_not_there_is_named(workplace):
    with pytest.raises(UsageError, match=r"no study file missing.toml"):
        Study.from_file("missing.toml")
    with pytest.raises(UsageError, match=r"no study in"):
        Study.open(workplace)


def test_a_study_is_opened_by_its_folder_too(make_study):
    study = make_study({"product": {"seed": [0, 1]}})
    opened = Study.open(study.folder)
    assert opened.plan == study.plan and opened.name == "tiny"
    assert json.loads((study.folder / "study.json").read_text())["runs"] == list(study.plan)


def test_a_folder_that_is_not_a_study_stays_as_it_is(study_file, workplace):
    (workplace / "runs" / "tiny").mkdir(parents=True)
    (workplace / "runs" / "tiny" / "chapter.txt").write_text("five years")
    with pytest.raises(UsageError, match="is not a study"):
        Study.from_file(study_file({})).write()
    assert [file.name for file in (workplace / "runs" / "tiny").iterdir()] == ["chapter.txt"]


@pytest.mark.parametrize("text", ["[]", "{", "{}", '{"runs": 3}', "null"])
def test_a_damaged_list_of_runs_is_a_failure(make_study, text):
    study = make_study({})
    (study.folder / "study.json").write_text(text)
    with pytest.raises(FailureError, match=r"study\.json"):
        Study.open(study.folder)


@pytest.mark.parametrize("text", ["[]", "{", "{}", '{"key": "1", "settings": {"colour": 1}}'])
def test_damaged_settings_of_a_run_are_a_failure_and_the_file_mends_them(make_study, text):
    study = make_study({})
    study.runs[0].settings_file.write_text(text)
    with pytest.raises(FailureError, match=r"settings\.json"):
        Study.open(study.folder)
    study.write()
    assert Study.open(study.folder).plan == study.plan


def test_a_study_that_was_killed_while_it_was_written_is_written_again(make_study):
    study = make_study({})
    (study.folder / "study.json").unlink()
    study.write()
    assert Study.open(study.folder).plan == study.plan


def test_a_torn_line_of_the_attempts_is_passed_over(make_study):
    (run,) = make_study({}).runs
    run.note_start()
    with run.attempts_file.open("a") as file:
        file.write('{"time": "2026')
    assert len(run.attempts()) == 1 and run.seconds() == 0
    run.note_end(0, 2.5)
    assert [attempt["event"] for attempt in run.attempts()] == ["start", "end"]
    assert run.seconds() == 2.5


def test_the_example_is_a_study():
    study = Study.from_file(EXAMPLES / "study.toml")
    configs = [config for _, config in study.plan.values()]
    seen = sorted(
        (config.model.name, config.training.seed, *config.model.options.items())
        for config in configs
    )
    betas = ("betas", (0.25, 2.5, 10.0))
    of_a_seed = [[("beta_vae", s, ("beta", b)) for b in (0.25, 1, 4)] for s in (0, 1)]
    assert seen == [*of_a_seed[0], *of_a_seed[1], ("devae", 0, betas), ("devae", 1, betas)]
