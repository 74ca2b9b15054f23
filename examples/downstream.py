"""Exports an encoder as a SavedModel, and trains a scikit-learn classifier on its codes.

The export goes to the folder `encoder`. After it, only TensorFlow, NumPy and scikit-learn are
needed: no Keras, no keras_devae.
"""

import argparse

import keras_devae as kd  # before Keras: it sets TensorFlow up for this processor

# isort: split
import keras
import numpy as np
import tensorflow as tf
from sklearn.ensemble import GradientBoostingClassifier


def train_and_export(folder, steps):
    """Trains a small DeVAE on dSprites, writes its encoder, and returns the data set."""
    data = kd.data.load("dsprites", source="rendered", image_size=32)
    model = kd.DeVAE.for_images(data.image_shape, betas=(0.25, 2.5, 10), seed=0)
    model.compile(optimizer=keras.optimizers.Adam(5e-4))
    model.fit(data.batches(batch_size=64, steps=steps), verbose=2)
    model.export_encoder(folder)
    return data


def main(folder="encoder", steps=2000, samples=1000):
    """Returns the accuracy with which the scale is predicted from the codes of other images."""
    data = train_and_export(folder, steps)
    rows = np.random.default_rng(1).choice(len(data), 2 * samples, replace=False)
    images = data.images(rows).astype("float32") / 255
    scales = data.factors(rows)[:, data.factor_names.index("scale")]

    encoder = tf.saved_model.load(folder)
    codes = encoder.encode(images)["z_mean"].numpy()

    classifier = GradientBoostingClassifier(random_state=0).fit(codes[:samples], scales[:samples])
    accuracy = classifier.score(codes[samples:], scales[samples:])
    print(f"scale: accuracy {accuracy:.3f} from {codes.shape[1]} codes (chance 0.167)")
    return accuracy


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()  # answers --help
    main()
