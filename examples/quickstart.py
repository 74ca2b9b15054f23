"""Trains DeVAE on dSprites, scores its codes, and draws what each latent does."""

import argparse

import keras_devae as kd  # before Keras: it sets TensorFlow up for this processor

# isort: split
import keras


def main(steps=1000, epochs=3, image_size=64, picture="traversal.png"):
    """Trains for `steps * epochs` steps and returns the mutual information gap of layer 0."""
    data = kd.data.load("dsprites", image_size=image_size)
    print(data.description)

    model = kd.DeVAE.for_images(data.image_shape, latent_dim=10, betas=(1, 10, 40), seed=0)
    model.compile(optimizer=keras.optimizers.Adam(5e-4))
    model.fit(data.batches(batch_size=64, steps=steps), epochs=epochs)

    images, factors = data.images(range(0, len(data), 97)), data.factors(range(0, len(data), 97))
    codes = model.encode(images)
    scores = kd.metrics.mig(codes, factors, factor_names=data.factor_names)
    print(f"MIG {scores['mig.score']:.3f}")

    print(kd.figures.save(kd.figures.of_models.traversal_figure(model, data), picture))
    return scores["mig.score"]


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()  # answers --help
    main()
