"""Numbers of the DeVAE paper, as far as they are known here: tables 1 and 2, text of figure 2."""

#: (latent dimensions, correlation) -> the discriminator's estimate and the truth, in nats. Table 1.
TOTAL_CORRELATION = {
    (10, 0.3): (0.23, 0.24),
    (10, 0.6): (1.08, 1.12),
    (10, 0.9): (4.14, 4.15),
    (100, 0.3): (2.17, 2.36),
    (100, 0.6): (10.27, 11.16),
    (100, 0.9): (23.39, 41.52),
    (1000, 0.3): (8.62, 23.58),
    (1000, 0.6): (17.40, 111.57),
    (1000, 0.9): (22.47, 415.18),
}

#: Variant -> for each latent layer mutual information gap and reconstruction error. Table 2.
ABLATION = {
    "one latent space": ((0.19, 47.49),),
    "parallel spaces": ((0.24, 22.21), (0.32, 40.79), (0.35, 62.40)),
    "hierarchy, linear maps": ((0.24, 38.82), (0.29, 45.48), (0.30, 63.78)),
    "DeVAE": ((0.35, 43.29), (0.35, 75.11), (0.35, 175.99)),
}

#: Method -> relative difference of DeVAE's disentanglement, by a score that is not named, and of
#: its reconstruction error, on dSprites. Text of figure 2.
ADVANTAGE = {
    "beta-TCVAE": {"disentanglement": 0.08, "reconstruction": -0.02},
    "beta-VAE": {"disentanglement": 0.47, "reconstruction": -0.30},
}

UNKNOWN = "not available"
