"""Watches what the latent dimensions learn, then scores every layer with a 95 % interval.

Curves and codes go to the folder `watched`.
"""

import argparse

import keras_devae as kd  # before Keras: it sets TensorFlow up for this processor

# isort: split
import keras
import numpy as np


def main(folder="watched", steps=2000, epochs=3, image_size=32, every_steps=500, images=5000):
    """Trains for `steps * epochs` steps and returns the mean MIG of layer 0 over three repeats."""
    data = kd.data.load("dsprites", image_size=image_size)
    # A quarter of the betas for 64x64: they weigh against a sum over pixels.
    model = kd.DeVAE.for_images(data.image_shape, latent_dim=10, betas=(0.25, 2.5, 10), seed=0)
    model.compile(optimizer=keras.optimizers.Adam(5e-4))
    watching = [
        kd.callbacks.InformationCallback(data, every_steps, directory=folder),
        kd.callbacks.KLCallback(data, every_steps, directory=folder),
    ]
    model.fit(data.batches(64, steps=steps), epochs=epochs, callbacks=watching, verbose=2)

    # All layers are scored on the same images, each of which is encoded once.
    names = ["mig", "sap", "factor_vae_score"]
    scores = kd.evaluation.evaluate(
        model, data, names, images=images, settings="fast", repeats=3, seed=0
    )
    for layer in scores["layers"]:
        interval = f"[{layer['mig.score.low']:.3f}, {layer['mig.score.high']:.3f}]"
        print(f"layer {layer['layer']}: MIG {layer['mig.score']:.3f} {interval}")

    # Codes in a file can be scored later: keras-devae evaluate --codes watched/codes.npz
    rows = np.random.default_rng(0).choice(len(data), images, replace=False)
    np.savez(
        f"{folder}/codes.npz",
        codes=model.encode(data.images(rows)),
        factors=data.factors(rows),
        factor_names=data.factor_names,
    )
    return scores["layers"][0]["mig.score"]


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()  # answers --help
    main()
