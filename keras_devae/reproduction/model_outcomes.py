"""Experiments that look into trained models: traversals, samples, layers."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from sklearn.neighbors import NearestNeighbors

from keras_devae import figures, metrics
from keras_devae.checks import Array
from keras_devae.evaluation.latents import information_of_layers, measure_latents
from keras_devae.figures.mosaics import to_rgb
from keras_devae.figures.of_models import traversed
from keras_devae.metrics.estimators.spread import spread_of
from keras_devae.metrics.rows import draw_sample
from keras_devae.reproduction.measurements import kept, loaded
from keras_devae.reproduction.results import Result, Results
from keras_devae.reproduction.tables import Outcome, interval_text
from keras_devae.runs.trained_model import run_encoding

#: Values to which a latent dimension is set.
_VALUES = np.linspace(-2.0, 2.0, 9)
#: Number of samples in a row, and of those whose distance to the data is measured.
_SHOWN, _SAMPLED = 10, 256
#: Number of images with which samples are compared.
_NEIGHBOURS = 10_000
#: Number of latent dimensions per factor in the top-k MED.
_TOP_K = 1
_FIRST_SEED = "The figure and the table are of the first seed of each."


def traversal_outcome(results: Results, by_layer: bool = False) -> Outcome:
    """Figures 3, 6 and 7: what each active latent dimension does to an image, see `_first_runs`."""
    images, labels, rows = [], [], []
    for name, result, layer, model, dataset in _first_runs(results, by_layer):
        latents = measure_latents(model, dataset, layer, seed=result.config.training.seed)
        # A model without active dimensions is shown by its strongest one.
        dimensions = latents.active if len(latents.active) else latents.order[:1]
        seed = result.config.training.seed
        start = dataset.images([np.random.default_rng(seed).integers(len(dataset))])
        images.append(to_rgb(traversed(model, start, layer, dimensions, _VALUES)))
        for d in dimensions:
            labels.append(f"{name}\n{latents.name_of(d)}")
            held = latents.factor_of(d)
            share = f"{latents.shares[d].max():.2f}" if held else "-"
            kl = f"{latents.kl[d]:.2f}"
            rows.append([name, result.config.data.dataset, f"z{d}", kl, held or "-", share])
    header = ["", "data set", "latent", "KL, nats", "factor held", "share of its entropy"]
    remarks = [
        f"Active latent dimensions (they pass on {metrics.ACTIVE_NATS} nats or more), the largest "
        "KL divergence first, from -2 to 2.",
        _FIRST_SEED,
    ]
    figure = figures.traversal(np.concatenate(images), _VALUES, labels)
    return Outcome(header, rows, figure, remarks, _tidy(header, rows))


def sample_outcome(results: Results, by_layer: bool = False) -> Outcome:
    """Figures 8, 9 and 10: images decoded from the prior, see `_first_runs`."""
    images, labels, rows, before = [], [], [], None
    for name, result, layer, model, dataset in _first_runs(results, by_layer):
        if before is None or dataset.name != before.name:
            before, known = dataset, known_images(dataset)
        samples = model.sample(_SAMPLED, layer, seed=result.config.training.seed)
        images.append(to_rgb(samples[:_SHOWN]))
        labels.append(name)
        decoded = (samples, model.reconstruct(_rows(dataset, _SAMPLED, 1), layer))
        errors = [nearest_error(part, known) for part in decoded]
        rows.append([name, result.config.data.dataset, *(f"{error:.1f}" for error in errors)])
    header = ["", "data set", "samples: squared error", "reconstructions: squared error"]
    remarks = [
        f"Squared error: to the nearest of {_NEIGHBOURS:,} images of the data set, summed over "
        f"pixels, mean over {_SAMPLED} images decoded from the prior, and over as many "
        "reconstructions for comparison.",
        _FIRST_SEED,
    ]
    figure = figures.contact_sheet(np.concatenate(images), columns=_SHOWN, row_labels=labels)
    return Outcome(header, rows, figure, remarks, _tidy(header, rows))


def _tidy(header, rows):
    titles = [title or "group" for title in header]
    return [dict(zip(titles, row, strict=True)) for row in rows]


def known_images(dataset: Any) -> NearestNeighbors:
    """Returns a scikit-learn search for the nearest of 10,000 images of a data set."""
    return NearestNeighbors(n_neighbors=1).fit(_flat(_rows(dataset, _NEIGHBOURS, 0)))


def nearest_error(images: Array, known: NearestNeighbors) -> float:
    """Returns the mean squared error to the nearest `known_images`, summed over pixels."""
    distances, _ = known.kneighbors(_flat(images))
    return float((distances**2).mean())


def _flat(images):
    pixels = images.reshape(len(images), -1).astype(np.float32)
    return pixels / np.float32(255) if images.dtype == np.uint8 else pixels


def _rows(dataset, count, seed):
    return dataset.images(draw_sample(len(dataset), count, seed).plain)


def over_layers_outcome(results: Results) -> Outcome:
    """Figure 11: the information about each factor over the latent layers of DeVAE."""
    rows, measured = [], [kept(result, "layers", _shares_by_layer) for result in results]
    shares = np.array([of_run["shares"] for of_run in measured])
    names, entropies = measured[0]["factors"], np.array(measured[0]["entropies"])
    for factor, name in enumerate(names):
        by_layer = [interval_text(spread_of(shares[:, i, factor])) for i in range(shares.shape[1])]
        falls = np.mean(np.all(np.diff(shares[:, :, factor], axis=1) <= 0, axis=1))
        rows.append([name, str(len(shares)), *by_layer, f"{100 * falls:.0f} %"])
    layers = [f"layer {i}, share" for i in range(shares.shape[1])]
    header = ["factor", "seeds", *layers, "seeds in which it falls"]
    remarks = [
        "Share: mutual information of the factor with the most informative latent dimension, over "
        "the factor's entropy, from samples of the posterior; with 95 % intervals. Posterior "
        "means would give every layer the same share: a scaling does not change how values fall "
        "into bins. The paper says of its figure 11 that the information decreases over the "
        "layers."
    ]
    figure = figures.information_over_layers(
        (shares.mean(axis=0) * entropies)[:, np.newaxis], entropies, names
    )
    tidy = [
        {
            "seed": result.config.training.seed,
            "layer": i,
            "factor": name,
            "share": float(of_run[i, f]),
        }
        for result, of_run in zip(results, shares, strict=True)
        for i in range(len(of_run))
        for f, name in enumerate(names)
    ]
    return Outcome(header, rows, figure, remarks, tidy)


def _shares_by_layer(result):
    information, entropies, names = information_of_layers(*loaded(result))
    return {
        "shares": (information.max(axis=1) / entropies).tolist(),
        "entropies": entropies.tolist(),
        "factors": list(names),
    }


def with_top_k(result: Result) -> Result:
    """Adds MED and top-k MED, with one latent dimension per factor, to the scores of layer 0."""
    added = kept(result, "top_k", _top_k)
    return dataclasses.replace(result, layers=[{**result.layers[0], **added}, *result.layers[1:]])


def _top_k(result):
    model, dataset = loaded(result)
    images, seed = result.config.evaluation.images, result.config.training.seed
    rows = draw_sample(len(dataset), images, seed).plain
    with run_encoding(model, result.directory, dataset) as encoding:
        codes = encoding.codes(rows, 0)
    return metrics.med(codes, dataset.factors(rows), top_k=_TOP_K, informativeness=False).numbers


def _first_runs(results, by_layer):
    """Yields name, result, layer, model and data set of each group's first run on each data set.

    `by_layer` yields every latent layer of the first of them instead.
    """
    parts = [results.on(dataset) for dataset in results.data_sets]
    firsts = [part.of(group)[0] for part in parts for group in part.groups]
    for first in firsts[:1] if by_layer else firsts:
        model, dataset = loaded(first)
        for layer in range(len(first.layers) if by_layer else 1):
            yield f"layer {layer}" if by_layer else first.group, first, layer, model, dataset
