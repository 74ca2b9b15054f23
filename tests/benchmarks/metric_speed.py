"""How long the metrics take, beside their definitions run the way they were published.

The published way: scikit-learn called for each code and factor, one vote or batch at a time, images
encoded 16 at a time (64 for the FactorVAE score), boosting one factor after the other. Both sides
run in turn in one process; the median of the ratios is printed.

    python tests/benchmarks/metric_speed.py matrix
    python tests/benchmarks/metric_speed.py cached --model dsprites.keras
    python tests/benchmarks/metric_speed.py encoded --model dsprites.keras --rounds 1
    python tests/benchmarks/metric_speed.py forward --model dsprites.keras
    python tests/benchmarks/metric_speed.py dci --model dsprites.keras --rounds 1
    python tests/benchmarks/metric_speed.py callback --model dsprites.keras

The last one divides 1,000 training steps of 64 images by one measurement of the MIG.
"""

import argparse
import statistics
import time
import warnings

import numpy as np
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.metrics import mutual_info_score
from sklearn.svm import LinearSVC

from keras_devae import data, metrics
from keras_devae.callbacks import MetricsCallback
from keras_devae.evaluation import evaluate
from keras_devae.evaluation.encoding import Encoding
from keras_devae.metrics.rows import draw_sample

TRAIN, TEST, BATCH = 10_000, 5_000, 64


# The published way.


def bins_of(codes):
    """Twenty equal bins for each code."""
    edges = [np.histogram(column, 20)[1][:-1] for column in codes.T]
    return np.stack([np.digitize(c, e) for c, e in zip(codes.T, edges, strict=True)], axis=1)


def information(codes, factors):
    """Mutual information of every code with every factor, pair by pair."""
    bins = bins_of(codes)
    pairs = [[mutual_info_score(factor, code) for factor in factors.T] for code in bins.T]
    return np.array(pairs)


def published_mig(codes, factors):
    """The mutual information gap."""
    matrix = information(codes, factors)
    entropies = [mutual_info_score(factor, factor) for factor in factors.T]
    ranked = np.sort(matrix, axis=0)[::-1]
    return np.mean((ranked[0] - ranked[1]) / entropies)


def published_modularity(codes, factors):
    """Modularity of Ridgeway and Mozer."""
    squares = np.square(information(codes, factors))
    best = squares.max(axis=1)
    deviation = (squares.sum(axis=1) - best) / (best * (factors.shape[1] - 1))
    return np.mean(1 - deviation)


def published_sap(codes, factors):
    """Separated attribute predictability: a linear SVM for each code and factor."""
    scores = np.zeros((codes.shape[1], factors.shape[1]))
    for i in range(codes.shape[1]):
        for j in range(factors.shape[1]):
            # The dual solver was scikit-learn's default at the time.
            model = LinearSVC(C=0.01, class_weight="balanced", dual=True)
            model.fit(codes[:TRAIN, i : i + 1], factors[:TRAIN, j])
            scores[i, j] = np.mean(model.predict(codes[TRAIN:, i : i + 1]) == factors[TRAIN:, j])
    ranked = np.sort(scores, axis=0)[::-1]
    return np.mean(ranked[0] - ranked[1])


def published_irs(codes, factors):
    """The interventional robustness score: every value of every factor in turn."""
    means = codes.mean(axis=0)
    largest = np.abs(codes - means).max(axis=0)
    scores = np.zeros((codes.shape[1], factors.shape[1]))
    for j in range(factors.shape[1]):
        values, counts = np.unique(factors[:, j], return_counts=True)
        for value, count in zip(values, counts, strict=True):
            held = codes[factors[:, j] == value]
            spread = np.percentile(np.abs(held - held.mean(axis=0)), q=99, axis=0)
            scores[:, j] += count / len(codes) * spread
    return np.average((1 - scores / largest[:, None]).max(axis=1), weights=largest)


def published_factor_vae(encode, dataset, rng):
    """The FactorVAE score: a batch of 64 images drawn, encoded and measured for every vote."""
    sizes = np.array(dataset.grid.sizes)

    def batch_of(count, factor=None):
        drawn = np.stack([rng.integers(size, size=count) for size in sizes], axis=1)
        if factor is not None:
            drawn[:, factor] = drawn[0, factor]
        return encode(dataset.grid.indices(drawn))

    variances = np.concatenate([batch_of(BATCH) for _ in range(TRAIN // BATCH + 1)]).var(axis=0)
    active = np.sqrt(variances) >= 0.05
    votes = np.zeros((2, len(sizes), len(variances)), int)
    for i in range(TRAIN + TEST):
        factor = rng.integers(len(sizes))
        local = batch_of(BATCH, factor).var(axis=0)
        code = np.flatnonzero(active)[np.argmin(local[active] / variances[active])]
        votes[int(i >= TRAIN), factor, code] += 1
    classifier = votes[0].argmax(axis=0)
    return votes[1][classifier, np.arange(len(variances))].sum() / TEST


def published_dci(codes, factors, stages):
    """Importances of gradient boosting, one factor after the other."""
    models = [GradientBoostingClassifier(n_estimators=stages, random_state=0) for _ in factors.T]
    for model, factor in zip(models, factors.T, strict=True):
        model.fit(codes[:TRAIN], factor[:TRAIN])
    for model, factor in zip(models, factors.T, strict=True):
        model.score(codes[:TRAIN], factor[:TRAIN])
        model.score(codes[TRAIN:], factor[TRAIN:])
    return np.stack([model.feature_importances_ for model in models], axis=1)


# The comparisons: each yields the seconds of both sides, and what they computed.


def clock(function):
    """Returns the seconds a call takes, and its value."""
    start = time.perf_counter()
    value = function()
    return time.perf_counter() - start, value


def matrix(given):
    """The mutual-information matrix of 1,024 codes."""
    rng = np.random.default_rng(0)
    sizes = (3, 6, 40, 32, 32)
    factors = np.stack([rng.integers(size, size=TRAIN) for size in sizes], axis=1)
    codes = rng.normal(size=(TRAIN, 1024))
    for _ in range(given.rounds):
        ours, found = clock(lambda: metrics.mutual_information_matrix(codes, factors))
        theirs, expected = clock(lambda: information(codes, factors))
        yield theirs, ours, f"largest difference {np.abs(found - expected).max():.1e}"


def cached(given):
    """MIG, SAP, FactorVAE score, modularity and IRS of codes that are there already."""
    dataset, encoding = prepared(given)
    codes = encoding.codes(np.arange(len(dataset)), 0)
    factors = dataset.factors(np.arange(len(dataset)))
    for _ in range(given.rounds):
        rows = draw_sample(len(dataset), TRAIN, 0).rows
        theirs, published = clock(lambda rows=rows: published_scores(codes, dataset, rows))
        ours, scores = clock(lambda rows=rows: our_scores(codes, factors, rows))
        yield theirs, ours, compared(published, scores)


def published_scores(codes, dataset, rows):
    """The five metrics the published way, of codes in a table."""
    sample, factors = codes[rows].astype(float), dataset.factors(rows)
    train, labels = sample[:TRAIN], factors[:TRAIN]
    return {
        "mig.score": published_mig(train, labels),
        "sap.score": published_sap(sample, factors),
        "modularity_explicitness.modularity_score": published_modularity(train, labels),
        "irs.score": published_irs(train, labels),
        "factor_vae_score.score": published_factor_vae(
            lambda rows: codes[rows], dataset, np.random.default_rng(0)
        ),
    }


def our_scores(codes, factors, rows):
    """The same five, from the same table."""
    train, labels = codes[rows[:TRAIN]], factors[rows[:TRAIN]]
    return {
        **metrics.mig(train, labels),
        **metrics.sap(codes[rows], factors[rows], n_train=TRAIN),
        "modularity_explicitness.modularity_score": metrics.modularity_of(
            metrics.mutual_information_matrix(train, labels)
        ),
        **metrics.irs(train, labels),
        **metrics.factor_vae_score(metrics.CodeTable(codes, factors)),
    }


def encoded(given):
    """The same five with their encoding."""
    dataset, encoding = prepared(given)
    model = encoding.model
    import tensorflow as tf

    forward = tf.function(lambda images: model.encoder(images, training=False)["z_mean"])

    def encode(rows, size):
        parts = []
        for start in range(0, len(rows), size):
            images = dataset.images(rows[start : start + size]) / np.float32(255)
            parts.append(forward(images).numpy())
        return np.concatenate(parts)

    names = ["mig", "sap", "factor_vae_score", "modularity_explicitness", "irs"]
    for _ in range(given.rounds):
        ours, scores = clock(lambda: evaluate(model, dataset, names, layers=[0]))
        rows = draw_sample(len(dataset), TRAIN, 0).rows

        def published(rows=rows):
            # Every metric of the study encodes its own samples.
            factors = dataset.factors(rows)
            train, labels = rows[:TRAIN], factors[:TRAIN]
            return {
                "mig.score": published_mig(encode(train, 16), labels),
                "sap.score": published_sap(encode(rows, 16), factors),
                "modularity_explicitness.modularity_score": published_modularity(
                    encode(train, 16), labels
                ),
                "irs.score": published_irs(encode(train, 16), labels),
                "factor_vae_score.score": published_factor_vae(
                    lambda rows: encode(rows, 64), dataset, np.random.default_rng(0)
                ),
            }

        theirs, expected = clock(published)
        yield theirs, ours, compared(expected, scores["layers"][0])


def forward(given):
    """The encoding pass, beside the bare compiled forward pass on pixels that are there."""
    dataset, encoding = prepared(given)
    import tensorflow as tf

    model = encoding.model
    bare = tf.function(lambda images: model.encoder(images, training=False))
    rows = np.random.default_rng(0).choice(len(dataset), 20_480, replace=False)
    pixels = dataset.images(rows) / np.float32(255)

    def run_bare():
        return [bare(pixels[i : i + 256])["z_mean"].numpy() for i in range(0, len(rows), 256)]

    run_bare()
    images = dataset.images(rows)
    for _ in range(given.rounds):
        theirs, _ = clock(run_bare)
        ours, _ = clock(lambda: model.encoder_posterior(images))
        reading, _ = clock(lambda: Encoding(model, dataset).prepare(rows))
        yield theirs, ours, f"{theirs / reading:.2f} x with reading the images"


def dci(given):
    """DCI by gradient boosting, and by LightGBM."""
    dataset, encoding = prepared(given)
    rows = draw_sample(len(dataset), TRAIN, 0).rows
    codes, factors = encoding.codes(rows, 0).astype(float), dataset.factors(rows)
    for _ in range(given.rounds):
        ours, exact = clock(lambda: metrics.dci(codes, factors, n_train=TRAIN))
        fast, quick = clock(
            lambda: metrics.dci(codes, factors, n_train=TRAIN, predictor="lightgbm")
        )
        theirs, expected = clock(lambda: published_dci(codes, factors, 100))
        found = np.array(exact["details"]["importance_matrix"])
        yield (
            theirs,
            ours,
            f"largest difference of an importance {np.abs(found - expected).max():.1e}; lightgbm: "
            f"{theirs / fast:.1f} x, D {quick['dci.disentanglement']:.3f} against "
            f"{exact['dci.disentanglement']:.3f}",
        )


def callback(given):
    """A thousand training steps, beside one measurement of `MetricsCallback`."""
    dataset, encoding = prepared(given)
    model = encoding.model
    measuring = MetricsCallback(dataset, ["mig"], every_steps=1000)
    batches = dataset.batches(64, steps=200, seed=0)
    model.fit(batches, epochs=1, verbose=0)
    measuring.measure(model, 0)
    for _ in range(given.rounds):
        training, _ = clock(lambda: model.fit(batches, epochs=1, verbose=0))
        ours, _ = clock(lambda: measuring.measure(model, 0))
        yield 5 * training, ours, f"{ours / (5 * training):.1%} of training"


def prepared(given):
    """Returns dSprites and an encoding of it."""
    import keras

    dataset = data.load("dsprites", source="rendered")
    return dataset, Encoding(keras.models.load_model(given.model), dataset)


def compared(expected, found):
    """Says both sides' scores."""
    return ", ".join(f"{key} {value:.3f}/{found[key]:.3f}" for key, value in expected.items())


def main():
    """Prints a line for every round, and the median ratio."""
    warnings.simplefilter("ignore")
    parts = {f.__name__: f for f in (matrix, cached, encoded, forward, dci, callback)}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=parts)
    parser.add_argument("--model", help="A trained model of 64x64 dSprites.")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    ratios = []
    for theirs, ours, note in parts[given.part](given):
        ratios.append(theirs / ours)
        print(
            f"published {theirs:.2f} s, ours {ours:.3f} s, {ratios[-1]:.2f} x; {note}", flush=True
        )
    print(f"{given.part}: {statistics.median(ratios):.2f} x")


if __name__ == "__main__":
    main()
