"""What follows training: scores, figures and the report."""

from keras_devae.errors import UsageError
from keras_devae.evaluation import evaluate
from keras_devae.process.interruption import Interruption
from keras_devae.runs.run_encoding import run_encoding
from keras_devae.runs.trained_model import model_hash

#: Figures that are named at the end of training -> what they are called there.
_NAMED_FIGURES = {
    "traversal": "Traversals",
    "reconstructions": "Reconstructions",
    "learning-curves": "Learning curves",
}


def finish(model, config, run, dataset, **progress):
    """Measures a trained model and reports on it, into the run's folder; the report comes last.

    Args:
        model: The trained model.
        config: The run's completed `RunConfig`.
        run: The `RunDirectory`.
        dataset: The data set.
        **progress: The arguments `progress` and `encoding_progress` of `evaluate_run`.

    Returns:
        The pair of the scores (see `keras_devae.evaluation.evaluate`) and a dictionary
        of what was written where.
    """
    with Interruption() as interruption:
        scores = evaluate_run(
            model,
            run,
            dataset,
            config.evaluation.metrics,
            config.evaluation.images,
            config.training.seed,
            settings=config.evaluation.metric_settings,
            **_interruptible(interruption, progress),
        )
        interruption.check()
    # A report beside scores says that a run is done: none of an earlier model may stand there.
    run.report_file.unlink(missing_ok=True)
    run.write_metrics(scores)
    # Reports stand above runs; this one is asked for from below.
    from keras_devae.reports import write_report

    files = write_report(run, model, config, dataset, scores)
    return scores, {
        "Report": run.report_file,
        **{title: files[name] for name, title in _NAMED_FIGURES.items() if name in files},
        "Scores": run.metrics_file,
        "Model": run.model_file,
    }


def _interruptible(interruption, progress):
    """Returns the functions that report progress, so that they look for an interruption too."""

    def looking(report):
        def look_and_report(*arguments):
            interruption.check()
            if report is not None:
                report(*arguments)

        return look_and_report

    return {name: looking(progress.get(name)) for name in ("progress", "encoding_progress")}


def evaluate_run(model, run, dataset, metrics, images, seed, encoding_progress=None, **options):
    """Computes scores of a run's model, with the codes that its folder keeps.

    Args:
        model: The trained model.
        run: The `RunDirectory`.
        dataset: The data set.
        metrics: Names of metrics, as `keras_devae.evaluation.evaluate` takes them.
        images: Number of images.
        seed: Integer seed.
        encoding_progress: Called with the numbers of images encoded and to encode, or `None`.
        **options: Further arguments of `evaluate`.

    Returns:
        What `evaluate` returns; its settings also say the hash of the model's file.

    Raises:
        UsageError: If the images have another shape than those of the run.
    """
    if dataset.image_shape != model.image_shape:
        raise UsageError(
            f"The run {run.path} was made with images of shape {model.image_shape}, and these have "
            f"{dataset.image_shape}. Repeat the variants of the run that change it: "
            f"{', '.join(run.read_config().data.variants)}."
        )
    with run_encoding(model, run, dataset, encoding_progress) as encoding:
        scores = evaluate(model, dataset, metrics, images, seed, encoding=encoding, **options)
    scores["settings"]["model_sha256"] = model_hash(model, run)
    return scores
