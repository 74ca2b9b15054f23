"""Inference with a posterior whose KL divergence is estimated from samples."""

from typing import Any

import numpy as np
from keras import ops

from keras_devae.checks import Array, Tensor
from keras_devae.losses import balanced_draws
from keras_devae.models.inference import Inference

#: Images whose draws are computed at a time.
_CHUNK = 256


class SampledInference(Inference):
    """Inference methods of models with the posterior `"sampled"`; list it first among the bases.

    Such a model defines `draw_codes`. Codes have no log-variances: `encode` returns
    the codes of the mean, and `sampled_posterior` what fixed draws of the posterior show of it.
    """

    def draw_codes(self, encoded: dict[str, Tensor], noise: Tensor) -> tuple[Tensor, Tensor]:
        """Draws codes and estimates the KL divergence from each of them.

        Args:
            encoded: The encoder's outputs, `(batch, ...)`.
            noise: Standard normal numbers `(s, batch, latent_dim)`, or `(s, 1, latent_dim)` for the
                same draws of all images.

        Returns:
            Pair of codes, `(s, batch, latent_dim)`, and divergences, `(s, batch)`, in nats.
        """
        raise NotImplementedError

    def codes_of_layers(self, encoded: dict[str, Tensor]) -> Tensor:
        """Returns the codes that the mean is moved to, `(1, batch, latent_dim)`, as tensors."""
        raise NotImplementedError

    def mean_divergence(self, encoded: dict[str, Tensor]) -> Tensor:
        """Estimates the KL divergence of each image from fixed draws, `(batch,)`, in nats."""
        return ops.mean(self.draw_codes(encoded, self._fixed_noise())[1], axis=0)

    def encoder_outputs(self, images: Any, batch_size: int = 256) -> dict[str, Array]:
        """Returns all outputs of the encoder, float32 `(n, ...)` by name."""
        return self.over_images(self._encode_chunk, images, batch_size)

    def encoder_posterior(self, images: Any, batch_size: int = 256) -> tuple[Array, Array]:
        """Returns the codes, and zeros in place of log-variances, see `Inference`."""
        codes = self.codes_of(self.encoder_outputs(images, batch_size))
        return codes, np.zeros_like(codes)

    def codes_of(self, encoded: dict[str, Array]) -> Array:
        """Returns the codes `(n, latent_dim)` from the encoder's outputs."""
        return _in_chunks(lambda part: {"codes": self.codes_of_layers(part)[0]}, encoded)["codes"]

    def samples_of(self, encoded: dict[str, Array], noise: Array) -> Array:
        """Returns samples of the posterior from the encoder's outputs and standard normal noise.

        All are float32 with a row for each image, noise and samples `(n, latent_dim)`.
        """

        def samples(part):
            return {"codes": self.draw_codes(part, part["noise"][None])[0][0]}

        return _in_chunks(samples, {**encoded, "noise": noise})["codes"]

    def sampled_posterior(self, encoded: dict[str, Array]) -> dict[str, Array]:
        """Returns what fixed draws show of each image's posterior, from the encoder's outputs.

        Returns:
            Float32 arrays: `mean` and `log_var` of the codes, `(n, latent_dim)`, and `divergence`,
            the KL divergence from the standard normal, `(n,)`, in nats.
        """
        noise = self._fixed_noise()

        def statistics(encoded):
            codes, divergences = self.draw_codes(encoded, noise)
            variance = ops.var(codes, axis=0)
            return {
                "mean": ops.mean(codes, axis=0),
                "log_var": ops.log(ops.maximum(variance, 1e-20)),
                "divergence": ops.mean(divergences, axis=0),
            }

        return _in_chunks(statistics, encoded)

    def sampled_codes(
        self, images: Any, layer: int | None, generator: np.random.Generator, batch_size: int
    ) -> Array:
        """Moves a sample of every image's Gaussian, see `Inference.encode`."""
        encoded = self.encoder_outputs(images, batch_size)
        shape = len(encoded["z_mean"]), self.latent_dim
        codes = self.samples_of(encoded, generator.standard_normal(shape, dtype=np.float32))
        return codes[None] if layer is None else codes

    def _fixed_noise(self):
        return ops.convert_to_tensor(balanced_draws(self.latent_dim)[:, None])


def _in_chunks(function, arrays):
    """Applies a function of tensors by name to chunks of rows, and joins its results."""
    count = len(next(iter(arrays.values())))
    parts = []
    for start in range(0, max(count, 1), _CHUNK):
        rows = slice(start, start + _CHUNK)
        found = function({n: ops.convert_to_tensor(a[rows]) for n, a in arrays.items()})
        parts.append({name: ops.convert_to_numpy(values) for name, values in found.items()})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
