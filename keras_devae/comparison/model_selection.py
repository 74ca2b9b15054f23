"""Selects a model among many for data without known factors; needs Keras."""

import dataclasses
import functools
import gc
import itertools
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from scipy.stats import rankdata

from keras_devae import checks, metrics
from keras_devae.checks import Array
from keras_devae.comparison.comparing import Comparison
from keras_devae.comparison.groups import ComparedRun, Group
from keras_devae.errors import UsageError
from keras_devae.metrics.rows import draw_sample
from keras_devae.runs.folder import RunDirectory
from keras_devae.runs.trained_model import load_trained, run_encoding

#: Called with the name of a run, and the numbers of its images encoded and to encode.
Progress: TypeAlias = Callable[[str, int, int], None]


@dataclasses.dataclass(frozen=True)
class RankedRun:
    """A run with its unsupervised disentanglement ranking `udr` in its group, in [0, 1].

    `rank` is its place by that score among all runs, or within its group if `Selection.common`
    is false; 1 is the best, and equal scores have the same rank.
    """

    run: ComparedRun
    group: str
    udr: float
    rank: int


@dataclasses.dataclass(frozen=True)
class Selection:
    """The result of `select_by_udr`: the `ranking`, best first; group by group if not `common`.

    `common` says whether all groups were trained on the same images, so that their scores can be
    compared; `remarks` are caveats, as sentences.
    """

    ranking: tuple[RankedRun, ...]
    common: bool
    remarks: tuple[str, ...]

    @property
    def best(self) -> tuple[RankedRun, ...]:
        """The runs to choose from, with rank 1."""
        return tuple(ranked for ranked in self.ranking if ranked.rank == 1)


def select_by_udr(
    comparison: Comparison,
    images: int = 2000,
    seed: int = 0,
    kind: str = "spearman",
    progress: Progress | None = None,
) -> Selection:
    """Ranks trained models by their agreement with models trained alike (Duan et al. 2020).

    Each model gets a `keras_devae.metrics.udr` score, of `kind` `"spearman"` or `"lasso"`, among
    the runs of its group, which have the same settings and other seeds. As in the paper, models of
    different groups are compared by these scores, too, if all were trained on the same images.

    All models encode the same `images` (or all, if there are fewer), chosen by `seed`; the codes
    stay in the runs' folders. Latents without a KL divergence to speak of are left out; of models
    without a posterior, codes that are constant. A categorical code is not compared. The ranking
    omits groups of one run.

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
            f"each. Received: one run each of {'; '.join(g.name for g in comparison.groups)}. "
            "Train them with other seeds, or name the settings to group by with `by`."
        )
    data = [_data_of(group) for group in groups]
    scored: list[tuple[ComparedRun, str, float]] = []
    for group in groups:
        scores = _scores(group, comparison.layer, images, seed, kind, progress)
        scored += zip(group.runs, [group.name] * len(scores), scores, strict=True)
    common = all(provenance == data[0] for provenance in data)
    return Selection(_ranking(scored, common), common, tuple(_remarks(comparison, common)))


def _data_of(group: Group) -> Any:
    """Returns the provenance of the images of a group's runs, which must be equal for all."""
    records = [_folder_of(run).read_record()["data"] for run in group.runs]
    for run, record in zip(group.runs, records, strict=True):
        if record != records[0]:
            raise UsageError(
                f"Runs of the group {group.name} were made with different images: "
                f"{group.runs[0].name} and {run.name}. Leave out either, or group by more settings."
            )
    return records[0]


def _folder_of(run: ComparedRun) -> RunDirectory:
    if isinstance(run.directory, RunDirectory):
        return run.directory
    raise UsageError(
        f"UDR encodes images with the models of runs. Received: {run.directory.path}, the "
        "evaluation of another encoder; leave it out."
    )


def _scores(
    group: Group, layer: int, images: int, seed: int, kind: str, progress: Progress | None
) -> list[float]:
    dataset = _folder_of(group.runs[0]).load_dataset()
    rows = draw_sample(len(dataset), images, seed).plain
    codes, divergences = [], []
    for run in group.runs:
        report = None if progress is None else functools.partial(progress, run.name)
        folder = _folder_of(run)
        model = load_trained(folder)
        with run_encoding(model, folder, dataset, report) as encoding:
            means, log_vars = encoding.posterior(rows, layer)
        codes.append(means)
        divergences.append(_informative(model, means, log_vars))
        # A model refers to itself, so only garbage collection frees its memory.
        del model, encoding
        gc.collect()
    result = metrics.udr(codes, divergences, kind=kind, seed=seed)
    return result["details"]["model_scores"]


def _informative(model: Any, means: Array, log_vars: Array) -> Array:
    """Returns the KL divergences `(d,)`; without a posterior 1 for codes that vary, else 0."""
    if model.has_posterior or model.samples_posterior:
        return metrics.kl_per_dimension(means, log_vars)
    return (means != means[0]).any(axis=0).astype(float)


def _ranking(scored: list[tuple[ComparedRun, str, float]], common: bool) -> tuple[RankedRun, ...]:
    """Ranks triples of a run, the name of its group and its score."""
    groups = itertools.groupby(scored, key=lambda entry: None if common else entry[1])
    ranked: list[RankedRun] = []
    for part in [list(part) for _, part in groups]:
        # Scores that are equal up to rounding have the same rank.
        ranks = rankdata([-round(score, 9) for _, _, score in part], method="min")
        runs = [RankedRun(*entry, int(rank)) for entry, rank in zip(part, ranks, strict=True)]
        ranked += sorted(runs, key=lambda run: run.rank)
    return tuple(ranked)


def _remarks(comparison: Comparison, common: bool) -> Iterator[str]:
    sizes = {group.name: len(group.runs) for group in comparison.groups}
    single = [name for name, size in sizes.items() if size == 1]
    if single:
        yield f"Without a second seed there is no UDR: {'; '.join(single)}."
    pairs = [name for name, size in sizes.items() if size == 2]
    if pairs:
        yield f"Two runs agree equally with each other and cannot be ranked: {'; '.join(pairs)}."
    if not common:
        yield "The groups have different images and are ranked separately."
