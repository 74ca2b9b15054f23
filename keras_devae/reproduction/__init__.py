"""The experiments of the DeVAE paper, and benchmarks of others: `keras-devae reproduce`."""
