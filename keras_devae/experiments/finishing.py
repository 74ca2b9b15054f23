"""What follows training: scores, figures and the report."""

from keras_devae import figures
from keras_devae.experiments.evaluation import evaluate, file_hash
from keras_devae.experiments.pictures import reconstruction_figure, traversal_figure
from keras_devae.experiments.report import write_report


def finish(model, config, run, dataset):
    """Measures and draws a trained model, into the run's folder.

    Args:
        model: The trained model.
        config: The run's completed `RunConfig`.
        run: The `RunDirectory`.
        dataset: The data set.

    Returns:
        The pair of the scores (see `keras_devae.experiments.evaluation.evaluate`) and a dictionary
        of what was written where.
    """
    scores = evaluate_run(
        model, run, dataset, config.metrics, config.evaluation_images, config.seed
    )
    run.write_metrics(scores)
    history = run.read_history()
    pictures = {
        "traversal": traversal_figure(model, dataset, seed=config.seed),
        "reconstructions": reconstruction_figure(model, dataset, seed=config.seed),
        "learning_curves": figures.learning_curves(_columns(history)),
    }
    files = {name: run.figures / f"{name}.png" for name in pictures}
    for name, figure in pictures.items():
        figures.save(figure, files[name])
    write_report(run, config, dataset, scores, model.complaints(history[-1] if history else {}))
    return scores, {
        "Report": run.report_file,
        "Traversals": files["traversal"],
        "Reconstructions": files["reconstructions"],
        "Learning curves": files["learning_curves"],
        "Scores": run.metrics_file,
        "Model": run.model_file,
    }


def evaluate_run(model, run, dataset, metrics, images, seed):
    """Computes scores and adds the hash of the model's file to their settings."""
    scores = evaluate(model, dataset, metrics, images, seed)
    scores["settings"]["model_sha256"] = file_hash(run.trained_model_file())
    return scores


def _columns(rows):
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}
