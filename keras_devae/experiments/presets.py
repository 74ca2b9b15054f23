"""Named settings of a training run."""

#: Preset -> what it is for, and the settings that it changes.
PRESETS = {
    "quick": (
        "a few minutes on two cores: shows that everything works, and what the model begins to see",
        {"steps": 4500, "batch_size": 64, "learning_rate": 1e-3},
    ),
    "small": (
        "32x32 images, a quarter of an hour on two cores: enough to compare models",
        {"steps": 20_000, "batch_size": 64, "learning_rate": 5e-4, "image_size": 32},
    ),
    "paper": (
        "the DeVAE paper's setting, for an accelerator: Adam 1e-4, batch 256, 300,000 steps",
        {"steps": 300_000, "batch_size": 256, "learning_rate": 1e-4, "checkpoint_every": 5000},
    ),
}
