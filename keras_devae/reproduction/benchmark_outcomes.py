"""Tables and figures of the benchmarks of other papers, from the finished runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Mapping, Sequence

import numpy as np
from scipy.stats import spearmanr

from keras_devae import figures, metrics
from keras_devae.data.variants import hidden
from keras_devae.evaluation import correct_pair, evaluate
from keras_devae.figures.mosaics import to_rgb
from keras_devae.metrics import METRICS
from keras_devae.metrics.estimators.spread import spread_of
from keras_devae.metrics.metric_warnings import gathered
from keras_devae.metrics.rows import draw_sample
from keras_devae.reproduction.benchmarks import (
    CORRELATED_PAIRS,
    HELD_OUT,
    KNOWN_IMAGES,
    SHIFTED,
    TRANSFER_TO,
)
from keras_devae.reproduction.measurements import codes_of, images_as, kept, loaded
from keras_devae.reproduction.results import MIG, RECONSTRUCTION, Results, compared, score_title
from keras_devae.reproduction.tables import INTERVALS, Outcome, interval_text
from keras_devae.runs.trained_model import run_encoding

#: Numbers of labels that correct a model, as far as the evaluation has so many images.
_LABELS = (100, 1000, 10_000)
#: Images of each condition that are shown.
_SHOWN = 8
_DCI = METRICS["dci"].key("disentanglement")
_DISENTANGLEMENT = score_title(_DCI)
_COMPARED = (RECONSTRUCTION, MIG, _DCI)
_PAIR, _OTHERS = "the pair", "other pairs, median"


def _outcome(
    results: Results,
    measured: Sequence[Mapping[str, float]],
    remarks: Sequence[str],
    kind_of: Callable[[str], Hashable],
) -> Outcome:
    """Tabulates and draws what was measured of each run, by title, in the groups of the runs.

    Panels whose titles are of one kind, such as `MIG, seen` and `MIG, held out`, have one scale.
    """
    titles = list(measured[0])
    rows: list[list[str]] = []
    panels: dict[str, dict[str, list[float]]] = {}
    for dataset, group, values in _by_group(results, measured):
        cells = [interval_text(spread_of(column)) for column in values.values()]
        rows.append([group, dataset, str(len(values[titles[0]])), *cells])
        for title, column in values.items():
            several = f", {dataset}" if len(results.data_sets) > 1 else ""
            panels.setdefault(f"{title}{several}", {})[group] = column
    tidy = [
        {**row, "measured": title, "value": value}
        for result, found in zip(results, measured, strict=True)
        for row in [result.described()]
        for title, value in found.items()
    ]
    figure = figures.box_plots(panels, horizontal=True)
    _share_scales(dict(zip(panels, figure.axes, strict=True)), kind_of)
    return Outcome(["", "data set", "seeds", *titles], rows, figure, [*remarks, INTERVALS], tidy)


def _share_scales(axes_by_title, kind_of):
    for kind in {kind_of(title) for title in axes_by_title}:
        alike = [axes for title, axes in axes_by_title.items() if kind_of(title) == kind]
        ends = np.array([axes.get_xlim() for axes in alike])
        margin = 0.03 * np.ptp(ends)
        for axes in alike:
            axes.set_xlim(ends.min() - margin, ends.max() + margin)


def _first_part(title):
    return title.partition(", ")[0]


def _by_group(results, measured):
    """Yields data set, group, and the values of the group's runs by title."""
    found = list(zip(results, measured, strict=True))
    for dataset in results.data_sets:
        for group in results.on(dataset).groups:
            of = [m for r, m in found if (r.config.data.dataset, r.group) == (dataset, group)]
            yield dataset, group, {title: [float(one[title]) for one in of] for title in of[0]}


@gathered()
def correlation_outcome(results: Results) -> Outcome:
    """Tabulates how entangled the correlated pair is beside the other pairs, and with labels."""
    measured = [kept(result, "correlated-factors", _entanglement) for result in results]
    pairs = "; ".join(f"{' and '.join(CORRELATED_PAIRS[s])} of {s}" for s in results.data_sets)
    remarks = [
        f"The pair is the one that is correlated in training: {pairs}. Its entanglement is the "
        "highest threshold at which the two factors are connected in the graph of the importances "
        "of latent dimensions for factors (DCI's trees); 1: one dimension holds both. It is "
        "measured on images in which no factors are correlated, and so is DCI disentanglement.",
        "With labels: the two dimensions that hold the pair are replaced by a linear regression of "
        "the two factors, fitted to so many labelled images of the training data.",
    ]
    remarks += [
        f"{dataset}, {group}, the pair against the median of the others: "
        f"{compared(values[_PAIR], values[_OTHERS])}."
        for dataset, group, values in _by_group(results, measured)
    ]
    return _outcome(results, measured, remarks, lambda title: title.startswith(_DISENTANGLEMENT))


def _entanglement(result):
    """Measures the entanglement of the pair, of the others, and of the pair after correction."""
    model, training = loaded(result)
    pair, independent = CORRELATED_PAIRS[result.config.data.dataset], images_as(result, ())
    codes, factors, n_train = codes_of(result, model, independent)
    trees = {**_trees_of(result), "seed": result.config.training.seed}
    options = {**trees, "n_train": n_train, "factor_names": independent.factor_names}
    scores = metrics.dci(codes, factors, **options)
    found = {_DISENTANGLEMENT: scores[_DCI], **_pairs(scores, pair)}
    columns = [training.factor_names.index(name) for name in pair]
    for count in _LABELS:
        if count > min(len(training), result.config.evaluation.images):
            continue
        known = codes_of(result, model, training, count)
        labels = known.factors[:count, columns]
        corrected, _ = correct_pair(codes, known.codes[:count], labels, **trees)
        scores = metrics.dci(corrected, factors, **options)
        found[f"{_PAIR}, {count:,} labels"] = _pairs(scores, pair)[_PAIR]
    return found


def _trees_of(result):
    return METRICS["dci"].fast if result.config.evaluation.metric_preset == "fast" else {}


def _pairs(scores, pair):
    """Returns the entanglement of the pair, and the median of the others'."""
    by_pair = dict(scores.details["pairwise_entanglement"])
    names = next(names for names in by_pair if set(names.split(",")) == set(pair))
    own = by_pair.pop(names)
    return {_PAIR: own, _OTHERS: float(np.median(list(by_pair.values())))}


@gathered()
def transfer_outcome(results: Results) -> Outcome:
    """Tabulates how predictors and MIG do on images that model or predictors do not know."""
    measured = [kept(result, "transfer", _transfer) for result in results]
    remarks = [
        f"The model was trained without the values 7 to 9 of {SHIFTED}, and boosted trees were "
        f"fitted to its codes of images without the values 5 to 9, to predict all factors but "
        f"{SHIFTED}. Accuracy: the share of values that they predict correctly, mean over the "
        "factors, of other images of the same kind; of the values 5 and 6, new to the trees; of 7 "
        "to 9, new to the model too; and of images of the same kind with noise added, which stand "
        "in for the real photographs of the paper. DCI disentanglement is of the images that the "
        "model was trained on.",
    ]
    disentanglement = [found[_DISENTANGLEMENT] for found in measured]
    for title in TRANSFER_TO:
        accuracy = [found[_accuracy(title)] for found in measured]
        if min(len(set(disentanglement)), len(set(accuracy))) > 3:
            rho = spearmanr(disentanglement, accuracy).statistic
            remarks.append(
                f"Rank correlation of DCI disentanglement with the accuracy, {title}: {rho:.2f} "
                f"over {len(accuracy)} runs."
            )
    return _outcome(results, measured, remarks, _first_part)


def _accuracy(title):
    return f"accuracy, {title}"


def _transfer(result):
    """Measures the accuracy of the same trees, and MIG, on images of each kind."""
    model, _ = loaded(result)
    known = codes_of(result, model, images_as(result, KNOWN_IMAGES))
    fitted = known.n_train
    accuracies, gaps = {}, {}
    for title, variants in TRANSFER_TO.items():
        images = images_as(result, variants)
        new = codes_of(result, model, images)
        predicted = [i for i, name in enumerate(images.factor_names) if name != SHIFTED]
        scores = metrics.downstream_accuracy(
            np.concatenate([known.codes[:fitted], new.codes[new.n_train :]]),
            np.concatenate([known.factors[:fitted], new.factors[new.n_train :]])[:, predicted],
            predictors=("gradient_boosting",),
            train_sizes=(fitted,),
            n_train=fitted,
            factor_names=[images.factor_names[i] for i in predicted],
        )
        accuracies[_accuracy(title)] = scores[f"downstream_accuracy.gradient_boosting_{fitted}"]
        gap = metrics.mig(new.codes, new.factors, factor_names=images.factor_names)
        gaps[f"{score_title(MIG)}, {title}"] = gap[MIG]
    return {**accuracies, **gaps, _DISENTANGLEMENT: result.score(_DCI)}


@gathered()
def generalisation_outcome(results: Results) -> Outcome:
    """Tabulates scores on the combinations held out beside those on what the model has seen."""
    measured = [kept(result, "compositional-generalisation", _generalisation) for result in results]
    remarks = [
        "Seen: images that the model was trained on. Held out: images with the combinations of "
        "factors that training was without; factors that do not vary in these do not count there.",
        *(f"{dataset}, {name}: {text}." for dataset, name, text in _conditions(results)),
    ]
    held_out, seen = (_titled(RECONSTRUCTION, seen) for seen in (False, True))
    remarks += [
        f"{dataset}, {group}, {score_title(RECONSTRUCTION)}, held out against seen: "
        f"{compared(values[held_out], values[seen])}."
        for dataset, group, values in _by_group(results, measured)
    ]
    outcome = _outcome(results, measured, remarks, _first_part)
    return dataclasses.replace(outcome, pictures={"reconstructions": _reconstructed(results)})


def _conditions(results):
    known = {(r.config.data.dataset, r.config.data.variants[0].partition(":")[2]) for r in results}
    return [
        (dataset, name, f"without {combinations}")
        for dataset in results.data_sets
        for name, combinations in HELD_OUT[dataset].items()
        if (dataset, combinations) in known
    ]


def _titled(score, seen):
    return f"{score_title(score)}, {'seen' if seen else 'held out'}"


def _held_out_of(result):
    """Loads the images of the combinations that a run was trained without."""
    (text,) = result.config.data.variants
    return images_as(result, [text.replace("held-out:", "held-out-only:")])


def _without_constant_factors(images):
    """Hides the factors with a single value in all images, which no metric could score."""
    factors = images.factors(np.arange(len(images)))
    constant = (factors == factors[0]).all(axis=0)
    names = [name for name, is_so in zip(images.factor_names, constant, strict=True) if is_so]
    return hidden(images, names) if names else images


def _generalisation(result):
    """Scores the images held out; the run's own evaluation has scored those that it saw."""
    (model, _), config = loaded(result), result.config
    images = _without_constant_factors(_held_out_of(result))
    names = tuple(score.partition(".")[0] for score in _COMPARED)
    chosen = {"layers": [0], "settings": config.evaluation.metric_preset}
    with run_encoding(model, result.directory, images) as encoding:
        scores = evaluate(
            model,
            images,
            names,
            config.evaluation.images,
            config.training.seed,
            **chosen,
            encoding=encoding,
        )
    return {
        _titled(score, seen): result.score(score) if seen else scores["layers"][0][score]
        for score in _COMPARED
        for seen in (True, False)
    }


def _reconstructed(results):
    """Draws images held out, and below them what each group's first run makes of them.

    A row of images serves all groups that were trained without the same.
    """
    rows, labels, before = [], [], None
    for dataset in results.data_sets:
        part = results.on(dataset)
        for result in (part.of(group)[0] for group in part.groups):
            held_out = _held_out_of(result)
            images = held_out.images(draw_sample(len(held_out), _SHOWN, 0).plain)
            condition, _, method = result.group.rpartition(", ")
            if (dataset, condition) != before:
                rows.append(to_rgb(images))
                labels.append(f"{condition}\n{dataset}")
                before = dataset, condition
            model, _ = loaded(result)
            rows.append(to_rgb(model.reconstruct(images)))
            labels.append(method)
    return figures.contact_sheet(np.concatenate(rows), columns=_SHOWN, row_labels=labels)
