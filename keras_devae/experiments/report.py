"""One self-contained page about a run."""

import base64

import jinja2

from keras_devae.files import write_text

_MEANINGS = {
    "mig.score": "Mutual information gap: 1 if each factor is in one latent, 0 if in none or many.",
    "factor_vae_score.score": "Share of held factors told from the latent that varies least.",
    "beta_vae_score.score": "Share of shared factors told by a linear classifier; saturates early.",
    "dci.disentanglement": "1 if each latent matters for one factor.",
    "dci.completeness": "1 if each factor is held by one latent.",
    "dci.informativeness_test": "Accuracy of the factors predicted from the codes.",
    "sap.score": "Gap between the two latents that best predict a factor; perfect: about 0.5.",
    "modularity_explicitness.modularity_score": "1 if each latent tells of one factor only.",
    "irs.score": "1 if nothing but its own factor moves a latent; noise is not 0.",
    "med.disentanglement": "As DCI's, from mutual information.",
    "infomec.infom": "1 if each latent tells of one factor.",
    "infomec.infoc": "1 if each factor is in one latent.",
    "infomec.infoe": "How much of the factors is linearly readable from the codes.",
    "elbo_decomposition.total_correlation": "Nats that the latents share with each other.",
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
