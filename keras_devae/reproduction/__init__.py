"""The experiments of the DeVAE paper: `keras-devae reproduce`."""
