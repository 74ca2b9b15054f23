"""Declares the variational autoencoders and their options, without importing Keras."""

from keras_devae.checks import positive
from keras_devae.models.declarations import ModelDeclaration
from keras_devae.models.options import (
    PIXELS,
    RATE,
    Option,
    changed_factors,
    check_controller,
    check_flow,
    check_groups,
    choice,
    flag,
    layer_dims_of,
    number,
    optional_number,
    optional_whole,
    optional_widths,
    pressures,
    share,
    steps,
    stochastic_layers,
    weight,
    weight_or_schedule,
    whole,
    widths,
)

_COMPAT = flag("Repeat a known fault of the published code.")
_DEVAE = {
    "betas": pressures((1.0, 10.0, 40.0), "Pressure of each latent layer."),
    "objective": choice(
        "sampled draws one layer per step, summed adds them up.", "sampled", "summed"
    ),
    "layer_weight_base": number(1.0, "s: layer i has the weight s^i."),
}
_LAYERS = {
    **_DEVAE,
    "layer_vectors": flag("Tell the decoder which layer a code comes from.", True),
}
_TARGET = {
    "kl_target_steps": steps(300_000, "Steps over which the set point moves."),
    "kl_target_stairs": optional_whole("Stairs on the way; a straight line by default.", 1),
    "kl_target_rest": number(
        1.0, "Share of each stair before the climb to the next one; 1 jumps.", share
    ),
    "beta_max": optional_number("Upper limit of beta; no limit by default."),
    "proportional_gain": weight(0.01, "Kp of the controller."),
    "integral_gain": weight(0.001, "Ki of the controller.", PIXELS, RATE),
}
_RELEASE = {
    "beta_min": weight(1.0, "Pressure on released dimensions."),
    "beta_max": weight(10.0, "Pressure on the others."),
    "stage_steps": steps(20_000, "Steps per stage."),
}
_DEVAE_PAPER = (
    "Variational Autoencoders with Decremental Information Bottleneck for Disentanglement"
)

VARIATIONAL = {
    "ada_gvae": ModelDeclaration(
        "AdaGVAE",
        "reconstruction + beta KL of pairs, whose posteriors are averaged where they are close",
        "Locatello et al. 2020, Weakly-Supervised Disentanglement Without Compromises",
        {
            "beta": weight(1.0, "Weight of the KL."),
            "averaging": choice(
                "group averages means and variances, multi_level by precision.",
                *("group", "multi_level"),
            ),
            "changed_factors": changed_factors(
                1, "Number of factors that differ in a pair, or random."
            ),
        },
        takes_pairs=True,
    ),
    "annealed_vae": ModelDeclaration(
        "AnnealedVAE",
        "reconstruction + gamma |KL - C(t)|",
        "Burgess et al. 2018, Understanding disentangling in beta-VAE",
        {
            "gamma": weight(1000.0, "Weight of the distance to the capacity."),
            "capacity_max": number(25.0, "Capacity at the end, in nats."),
            "capacity_steps": steps(100_000, "Steps until the capacity at the end."),
            "capacity_start": number(0.0, "Capacity at the start, in nats."),
        },
    ),
    "beta_tc_vae": ModelDeclaration(
        "BetaTCVAE",
        "reconstruction + alpha mutual information + beta total correlation + gamma rest of the KL",
        "Chen et al. 2018, Isolating Sources of Disentanglement in Variational Autoencoders",
        {
            "beta": weight(12.0, "Weight of the total correlation."),
            "alpha": weight(1.0, "Weight of the mutual information."),
            "gamma": weight(1.0, "Weight of the dimension-wise KL."),
            "estimator": choice(
                "weighted, stratified or bias_corrected sampling of the batch.",
                *("weighted", "stratified", "bias_corrected"),
            ),
            "reference_compat": _COMPAT,
        },
    ),
    "beta_vae": ModelDeclaration(
        "BetaVAE",
        "reconstruction + beta KL",
        "Higgins et al. 2017, beta-VAE",
        {"beta": Option("number", 6.0, "Weight of the KL.", weight_or_schedule, (PIXELS,))},
    ),
    "cascade_vae": ModelDeclaration(
        "CascadeVAE",
        "reconstruction + sum_d beta_d KL_d, and a categorical code assigned by matching",
        "Jeong and Song 2019, Learning Discrete and Continuous Factors of Data via Alternating "
        "Disentanglement",
        {
            "num_categories": whole(3, "Number of categories.", 2),
            **_RELEASE,
            "matching_stage": whole(4, "Stage in which the matching begins, from 0.", 0),
            "pairwise_cost": weight(0.001, "Cost of sharing a category, in nats."),
        },
    ),
    "cascade_vae_c": ModelDeclaration(
        "CascadeVAEC",
        "reconstruction + sum_d beta_d KL_d, one dimension released per stage",
        "Jeong and Song 2019, the continuous part of CascadeVAE",
        _RELEASE,
    ),
    "control_vae": ModelDeclaration(
        "ControlVAE",
        "reconstruction + beta(t) KL, beta set by a PI controller",
        "Shao et al. 2020, ControlVAE",
        {
            "kl_target": number(18.0, "Set point of the KL at the end, in nats."),
            "kl_target_start": number(0.5, "Set point of the KL at the start, in nats."),
            **_TARGET,
            "beta_init": optional_number("Beta at the start; beta_min by default."),
            "beta_min": weight(1.0, "Lower limit of beta."),
            "reference_compat": _COMPAT,
        },
        check_together=check_controller,
    ),
    "deft": ModelDeclaration(
        "DEFT",
        "reconstruction + beta_s KL, one group of latents learns per stage",
        "Wu et al. 2022, DEFT: distilling entangled factors by preventing information diffusion",
        {
            "betas": pressures((70.0, 30.0, 15.0, 1.0), "Pressure of each stage."),
            "stage_steps": steps(50_000, "Steps per stage."),
            "gradient_scale": number(0.0, "Factor of the other groups' gradients."),
        },
    ),
    "devae": ModelDeclaration(
        "DeVAE",
        "reconstruction + beta_i KL_i of one of K layers, each a scaling of the one before",
        _DEVAE_PAPER,
        {
            **_LAYERS,
            "scaling_learning_rate": number(
                1.0, "Learning rate of the scalings, relative to the other weights'.", positive
            ),
        },
    ),
    "devae_linear": ModelDeclaration(
        "DeVAELinear",
        "as devae, with arbitrary linear maps instead of the diagonal scalings",
        f"{_DEVAE_PAPER}, table 2",
        _LAYERS,
    ),
    "devae_parallel": ModelDeclaration(
        "DeVAEParallel",
        "as devae, with independent latent spaces instead of the hierarchy",
        f"{_DEVAE_PAPER}, table 2",
        _LAYERS,
    ),
    "devae_single": ModelDeclaration(
        "DeVAESingle",
        "reconstruction + beta_i KL of one latent space, one of K pressures drawn per step",
        f"{_DEVAE_PAPER}, table 2",
        _DEVAE,
    ),
    "dip_vae": ModelDeclaration(
        "DIPVAE",
        "reconstruction + KL + lambda_od C_ij^2 + lambda_d (C_ii - 1)^2, C a covariance of codes",
        "Kumar et al. 2018, Variational Inference of Disentangled Latent Concepts from Unlabeled "
        "Observations",
        {
            "kind": choice("i, of the means, or ii, of the codes.", "i", "ii"),
            "lambda_od": weight(10.0, "Weight off the diagonal."),
            "lambda_d": optional_number(
                "Weight on the diagonal; 10 lambda_od (i) or lambda_od (ii) by default."
            ),
        },
    ),
    "dynamic_vae": ModelDeclaration(
        "DynamicVAE",
        "reconstruction + beta(t) KL, beta adjusted step by step by a PI controller",
        "Shao et al. 2022, Rethinking Controllable Variational Autoencoders",
        {
            "kl_target": number(20.0, "Set point of the KL at the end, in nats."),
            "kl_target_start": number(0.0, "Set point of the KL at the start, in nats."),
            **_TARGET,
            "beta_init": weight(150.0, "Beta at the start."),
            "beta_min": weight(0.1, "Lower limit of beta."),
            "window": whole(5, "Steps over which the KL is averaged.", 1),
            "reference_compat": _COMPAT,
        },
        check_together=check_controller,
    ),
    "factor_vae": ModelDeclaration(
        "FactorVAE",
        "reconstruction + KL + gamma total correlation, by a discriminator",
        "Kim and Mnih 2018, Disentangling by Factorising",
        {
            "gamma": weight(35.0, "Weight of the total correlation."),
            "discriminator_units": widths((1000,) * 6, "Widths of the discriminator's layers."),
        },
    ),
    "hf_vae": ModelDeclaration(
        "HFVAE",
        "reconstruction + weighted total correlation within and between groups of latents, "
        "dimension-wise KL and mutual information",
        "Esmaeili et al. 2019, Structured Disentangled Representations",
        {
            "within_group_weight": number(1.0, "Weight of the total correlation within groups."),
            "dimension_wise_weight": number(1.0, "Weight of the dimension-wise KL."),
            "mutual_information_weight": number(1.0, "Weight of the mutual information."),
            "between_group_weight": number(1.0, "Weight of the total correlation between groups."),
            "num_groups": optional_whole("Number of groups of latents; 2 by default.", 1),
            "group_sizes": optional_widths("Latents of each group; equal groups by default."),
            "estimator": choice(
                "bias_corrected, weighted or stratified sampling of the batch.",
                *("bias_corrected", "weighted", "stratified"),
            ),
        },
        check_latent_dim=check_groups,
    ),
    "flow_vae": ModelDeclaration(
        "FlowVAE",
        "reconstruction + KL of a Gaussian moved by planar or inverse autoregressive flows",
        "Rezende and Mohamed 2015, Variational Inference with Normalizing Flows; Kingma et al. "
        "2016, Improving Variational Inference with Inverse Autoregressive Flow",
        {
            "flow": choice("planar or iaf, inverse autoregressive.", "planar", "iaf"),
            "num_flows": whole(2, "Number of flows.", 1),
            "flow_units": widths((128,) * 3, "Widths of the networks of iaf."),
            "free_bits": number(0.0, "Nats of the KL that cost nothing, in total."),
        },
        posterior="sampled",
        check_together=check_flow,
    ),
    "joint_vae": ModelDeclaration(
        "JointVAE",
        "reconstruction + gamma |KL_z - C_z(t)| + categorical_gamma |KL_c - C_c(t)|",
        "Dupont 2018, Learning Disentangled Joint Continuous and Discrete Representations",
        {
            "num_categories": whole(3, "Number of categories.", 2),
            "gamma": weight(150.0, "Weight of the continuous code's distance."),
            "capacity_max": number(40.0, "Capacity of the continuous code at the end, in nats."),
            "categorical_gamma": weight(150.0, "Weight of the categorical code's distance."),
            "categorical_capacity_max": number(
                1.1, "Capacity of the categorical code at the end, in nats."
            ),
            "capacity_steps": steps(300_000, "Steps until both capacities at the end."),
            "temperature": number(0.67, "Temperature of the Gumbel-softmax.", positive),
            "capacity_start": number(0.0, "Capacity at the start, in nats."),
            "categorical_capacity_start": number(
                0.0, "Capacity of the categorical code at the start, in nats."
            ),
        },
    ),
    "ladder_vae": ModelDeclaration(
        "LadderVAE",
        "reconstruction + t sum_i KL(q_i, p_i) of stochastic layers, t growing from 0 to 1",
        "Soenderby et al. 2016, Ladder Variational Autoencoders",
        {
            "layer_dims": optional_widths(
                "Latents of each layer, layer 1, next to the image, first; 4:2:1 by default."
            ),
            "kl_warmup_steps": steps(30_000, "Steps until t is 1; 0 starts with 1.", least=0),
            "batch_normalization": flag("Normalise between the layers over the batch.", True),
        },
        posterior="sampled",
        check_latent_dim=layer_dims_of,
        parts_of_code=stochastic_layers,
    ),
    "vae": ModelDeclaration(
        "VAE", "reconstruction + KL", "Kingma and Welling 2014, Auto-Encoding Variational Bayes"
    ),
}
