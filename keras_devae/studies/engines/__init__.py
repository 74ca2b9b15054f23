"""What carries the runs of a study out, by name."""

from keras_devae.errors import UsageError, unknown_name

ENGINES = ("local", "inline", "ray")


def make_engine(name, workers=None, ray_options=None):
    """Makes an engine.

    Args:
        name: One of `ENGINES`.
        workers: How many runs at a time, or `None`: 1, or on Ray what the cluster has room for.
            `"inline"`, in this process, does one.
        ray_options: Dictionary of `ray_address`, `cpus_per_run` and `gpus_per_run`, each `None`
            where it is not given.

    Returns:
        A `LocalEngine`, an `InlineEngine` or a `RayEngine`.

    Raises:
        UsageError: If the name is unknown, an option belongs to another engine or is out of range,
            or Ray is not installed.
        FailureError: If the Ray cluster is not found.
    """
    given = {name: value for name, value in (ray_options or {}).items() if value is not None}
    if name not in ENGINES:
        raise unknown_name("engine", name, ENGINES)
    if name == "ray":
        from keras_devae.studies.engines.ray_engine import RayEngine

        address = given.pop("ray_address", None)
        return RayEngine(address, workers=workers, **given)
    if given:
        options = ", ".join(f"--{option.replace('_', '-')}" for option in given)
        raise UsageError(f"{options} needs --engine ray. Received: --engine {name}.")
    if name == "inline":
        from keras_devae.studies.engines.inline_engine import InlineEngine

        if workers not in (None, 1):
            raise UsageError(f"--engine inline does one run at a time. Received: {workers}.")
        return InlineEngine()
    from keras_devae.studies.engines.local_engine import LocalEngine

    return LocalEngine(1 if workers is None else workers)
