"""Which of many models to take where there are no factors to measure it by.

Needs Keras; `keras_devae.comparison.groups` does not.
"""

import dataclasses
import functools
import gc
import itertools

from scipy.stats import rankdata

from keras_devae import checks, metrics
from keras_devae.comparison.groups import ComparedRun
from keras_devae.errors import UsageError
from keras_devae.metrics.rows import draw_sample
from keras_devae.runs.trained_model import load_trained, run_encoding


@dataclasses.dataclass(frozen=True)
class RankedRun:
    """A run with its score.

    Attributes:
        run: The `ComparedRun`.
        group: Name of its group.
        udr: Its unsupervised disentanglement ranking among the runs of its group, in [0, 1].
        rank: Its place by that score among all runs, or those of its group where `Selection.common`
            is false; 1 is the best, and equal scores have the same.
    """

    run: ComparedRun
    group: str
    udr: float
    rank: int


@dataclasses.dataclass(frozen=True)
class Selection:
    """What `select_by_udr` found.

    Attributes:
        ranking: The `RankedRun`s: the best first, or, where `common` is false, group by group and
            in each the best first.
        common: Whether all groups are of the same images, so that their scores can be compared.
        remarks: Sentences on what to bear in mind, a tuple.
    """

    ranking: tuple[RankedRun, ...]
    common: bool
    remarks: tuple[str, ...]

    @property
    def best(self):
        """The `RankedRun`s to choose from: those of rank 1, a tuple."""
        return tuple(ranked for ranked in self.ranking if ranked.rank == 1)


def select_by_udr(comparison, images=2000, seed=0, kind="spearman", progress=None):
    """Ranks trained models by how far they agree with those trained alike (Duan et al. 2020).

    The score of a model is that of `keras_devae.metrics.udr` among the runs of its group: those
    with the same settings and other seeds. As in the paper, models of different groups are compared
    by these scores too, if all were trained on the same images.

    All models encode the same images, one model after another; the codes stay in the runs' folders.
    A categorical code is none of those compared.

    Args:
        comparison: From `keras_devae.comparison.groups.compare_runs`; its layer is the one
            that is encoded.
        images: Images that are encoded, each once; default 2,000, or all if there are fewer.
        seed: Integer seed of their choice; default 0.
        kind: `"spearman"` (default) or `"lasso"`, see `keras_devae.metrics.udr`.
        progress: Called with the name of the run, and the numbers of its images encoded and to
            encode, or `None`.

    Returns:
        A `Selection`. Groups of one run are left out.

    Raises:
        UsageError: If no group has two runs, or runs of a group were made with different images, or
            `images` is below 2.
        FailureError: If a model or a data set cannot be loaded.
    """
    checks.at_least("images", images, 2)
    groups = [group for group in comparison.groups if len(group.runs) > 1]
    if not groups:
        raise UsageError(
            "UDR compares models that were trained alike with different seeds, two or more of "
            f"each. Received: one run each of {_listed(g.name for g in comparison.groups)}. Train "
            "them with other seeds, or say with `by` what makes a group."
        )
    data = [_data_of(group) for group in groups]
    scored = []
    for group in groups:
        scores = _scores(group, comparison.layer, images, seed, kind, progress)
        scored += zip(group.runs, [group.name] * len(scores), scores, strict=True)
    common = all(facts == data[0] for facts in data)
    return Selection(_ranking(scored, common), common, tuple(_remarks(comparison, common)))


def _data_of(group):
    """Returns the provenance of the images of a group's runs, which is the same for all."""
    records = [run.directory.read_record()["data"] for run in group.runs]
    for run, record in zip(group.runs, records, strict=True):
        if record != records[0]:
            raise UsageError(
                f"The runs of the group {group.name} were made with different images, those of "
                f"{group.runs[0].name} and of {run.name}. Leave out either, or make groups by "
                "more settings."
            )
    return records[0]


def _scores(group, layer, images, seed, kind, progress):
    dataset = group.runs[0].directory.load_dataset()
    rows = draw_sample(len(dataset), images, seed).plain
    codes, divergences = [], []
    for run in group.runs:
        means, log_vars = _posterior(run, dataset, rows, layer, progress)
        codes.append(means)
        divergences.append(metrics.kl_per_dimension(means, log_vars))
        # A model refers to itself, and so stays until cycles are looked for.
        gc.collect()
    result = metrics.udr(codes, divergences, kind=kind, seed=seed)
    return result["details"]["model_scores"]


def _posterior(run, dataset, rows, layer, progress):
    """Encodes rows with the model of a run, which is forgotten again."""
    directory = run.directory
    report = None if progress is None else functools.partial(progress, run.name)
    with run_encoding(load_trained(directory), directory, dataset, report) as encoding:
        return encoding.posterior(rows, layer)


def _ranking(scored, common):
    """Returns the `RankedRun`s of triples of a run, its group and its score."""
    ranked = []
    for part in [scored] if common else _by_group(scored):
        # Scores that are equal but for how sums are rounded have the same rank.
        ranks = rankdata([-round(score, 9) for _, _, score in part], method="min")
        of_part = [RankedRun(*facts, int(rank)) for facts, rank in zip(part, ranks, strict=True)]
        ranked += sorted(of_part, key=lambda entry: entry.rank)
    return tuple(ranked)


def _by_group(scored):
    return [list(part) for _, part in itertools.groupby(scored, key=lambda facts: facts[1])]


def _remarks(comparison, common):
    sizes = {group.name: len(group.runs) for group in comparison.groups}
    single = [name for name, size in sizes.items() if size == 1]
    if single:
        yield f"Without a second seed there is no UDR: {_listed(single)}."
    pairs = [name for name, size in sizes.items() if size == 2]
    if pairs:
        yield f"Two runs agree with each other alike and cannot be told apart: {_listed(pairs)}."
    if not common:
        yield "The groups are of different images and are ranked one by one."


def _listed(names):
    return "; ".join(names)
