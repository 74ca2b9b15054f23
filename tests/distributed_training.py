"""Trains small models on several devices, in a process of its own.

    python distributed_training.py DEVICES IMAGES OUT TRAININGS

DEVICES is how many the CPU is to pass for, IMAGES an `npz` file, OUT a JSON file to write, and
TRAININGS a JSON list of the arguments of `trained`.
"""

import json
import os
import sys


def pass_for_devices(count):
    """Makes the CPU pass for several devices, before the backend is used."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    if count == 1:
        return
    os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={count}"
    if os.environ["KERAS_BACKEND"] == "tensorflow":
        import tensorflow

        (cpu,) = tensorflow.config.list_physical_devices("CPU")
        parts = [tensorflow.config.LogicalDeviceConfiguration()] * count
        tensorflow.config.set_logical_device_configuration(cpu, parts)


def trained(
    images,
    distribute="data-parallel",
    method="devae",
    steps=50,
    steps_per_execution=1,
    resident=False,
    batch_size=8,
    fit_options=None,
    compile_options=None,
    dtype_policy="float32",
    array_of=None,
    held_out=None,
    **options,
):
    """Trains, and returns the losses of every call, of an evaluation, and the final state."""
    import keras
    import numpy as np

    import keras_devae as kd
    from keras_devae.models import MODELS
    from keras_devae.networks import mlp_decoder, mlp_encoder

    keras.config.set_dtype_policy(dtype_policy)
    data = kd.data.load(f"npz:{images}")
    options = {"seed": 0, **options}
    model_class = MODELS[method]
    with kd.backend.replicas.scope(distribute) as devices:
        wanted = model_class.encoder_options(3, **options)
        networks = [mlp_encoder(data.image_shape, units=(16,), seed=1, **wanted)]
        if model_class.declaration.decodes:
            width = model_class.decoder_input_dim(3, **options)
            networks.append(mlp_decoder(width, data.image_shape, (16,), seed=2))
        model = model_class(*networks, **options)
        model.compile(
            keras.optimizers.Adam(1e-3),
            steps_per_execution=steps_per_execution,
            **(compile_options or {}),
        )
        batches = model.training_batches(
            data, batch_size=batch_size, steps=steps_per_execution, seed=3, resident=resident
        )
        x = batches if array_of is None else data.images(range(array_of))
        epochs = steps // steps_per_execution
        fit_options = dict(fit_options or {})
        if held_out is not None:
            fit_options["validation_data"] = data.images(range(held_out))
        history = model.fit(x, epochs=epochs, verbose=0, **fit_options).history
        in_order = data.batches(16, shuffle=False)
        evaluated = model.evaluate(in_order, verbose=0, return_dict=True)
        codes = np.concatenate([model.encode(data.images(range(n))) for n in (1, 5)])
    state = [*model.variables, *model.optimizer.variables]
    return {
        "devices": devices,
        "history": {name: [float(v) for v in values] for name, values in history.items()},
        "evaluated": {name: float(value) for name, value in evaluated.items()},
        "codes": codes.tolist(),
        "state": [keras.ops.convert_to_numpy(variable).tolist() for variable in state],
    }


def main(devices, images, out, trainings):
    pass_for_devices(int(devices))
    from keras_devae.errors import UsageError

    results = []
    for training in json.loads(trainings):
        try:
            results.append(trained(images, **training))
        except UsageError as error:
            results.append({"refused": str(error)})
    with open(out, "w") as file:
        json.dump(results, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
