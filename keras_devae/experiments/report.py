"""One self-contained page about a run."""

import base64

import jinja2

from keras_devae.files import write_text

_MEANINGS = {
    "mig.score": "Mutual information gap: 1 if each factor is in one latent, 0 if in none or many.",
    "active_variables.count": "Latent dimensions that respond to the images.",
    "kl.total": "Information, in nats, that the codes may carry of an image.",
    "reconstruction_error.negative_log_likelihood": "Nats an image; lower is better.",
    "reconstruction_error.squared_error": "Summed over the pixels of an image; lower is better.",
}
_PICTURES = {
    "traversal": (
        "Latent traversals",
        "Each row changes one latent dimension of the same image and leaves the others alone.",
    ),
    "reconstructions": ("Reconstructions", "Images, and what each latent layer makes of them."),
    "learning_curves": ("Learning curves", "Losses by training step."),
}


def write_report(run, config, dataset, scores, complaints):
    """Writes `report.html` into a run's folder.

    Args:
        run: The `RunDirectory`, with its figures.
        config: The run's completed `RunConfig`.
        dataset: The data set.
        scores: See `keras_devae.evaluation.evaluate`.
        complaints: Sentences about what is wrong with the model.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("keras_devae.experiments"), autoescape=True
    )
    page = environment.get_template("report.html").render(
        name=run.path.name,
        run=run.path,
        config=config,
        description=dataset.description,
        complaints=complaints,
        layers=scores["layers"],
        keys=[key for key in scores["layers"][0] if key != "layer"],
        meanings=_MEANINGS,
        pictures=[_picture(run, name) for name in _PICTURES],
        model_file=run.model_file,
        settings=config.to_dict(),
    )
    write_text(run.report_file, page)


def _picture(run, name):
    title, caption = _PICTURES[name]
    data = base64.b64encode((run.figures / f"{name}.png").read_bytes()).decode("ascii")
    return {"title": title, "caption": caption, "base64": data}
