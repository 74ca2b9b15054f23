"""Settings of runs that train in a moment."""

TINY = {
    "dataset": "dsprites",
    "source": "rendered",
    "image_size": 32,
    "network": "mlp",
    "network_units": (8,),
    "variants": ("subset:50",),
    "batch_size": 8,
    "checkpoint_every": 2,
    "model": "beta_vae",
    "metrics": ("kl",),
    "evaluation_images": 50,
    "mixed_precision": "off",
}
