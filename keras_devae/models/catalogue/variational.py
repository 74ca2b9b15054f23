"""Declares the other variational autoencoders and their options, without importing Keras."""

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

_COMPAT = flag("Reproduce a known error of the published code.")
_TARGET = {
    "kl_target_steps": steps(300_000, "Steps in which the KL target moves from start to end."),
    "kl_target_stairs": optional_whole("Number of stairs on the way; without, a straight line.", 1),
    "kl_target_rest": number(
        1.0, "Fraction of each stair that is flat; 1 means sudden jumps.", share
    ),
    "beta_max": optional_number("Upper limit of beta; without, no limit."),
    "proportional_gain": weight(0.01, "Proportional gain Kp of the controller."),
    "integral_gain": weight(0.001, "Integral gain Ki of the controller.", PIXELS, RATE),
}
_RELEASE = {
    "beta_min": weight(1.0, "Weight of the KL divergence of released dimensions."),
    "beta_max": weight(10.0, "Weight of the KL divergence of the other dimensions."),
    "stage_steps": steps(20_000, "Training steps per stage."),
}
_CASCADE_PAPER = (
    "Jeong and Song 2019, Learning Discrete and Continuous Factors of Data via Alternating "
    "Disentanglement"
)

VARIATIONAL = {
    "ada_gvae": ModelDeclaration(
        "AdaGVAE",
        "reconstruction + beta KL of pairs, whose posteriors are averaged where they are close",
        "Locatello et al. 2020, Weakly-Supervised Disentanglement Without Compromises",
        {
            "beta": weight(1.0, "Weight of the KL divergence."),
            "averaging": choice(
                "group averages means and variances; multi_level weights them by precision.",
                *("group", "multi_level"),
            ),
            "changed_factors": changed_factors(
                1, "Number of factors that differ within a pair, or random."
            ),
        },
        takes_pairs=True,
        use="You have pairs of images that share most of their factors, such as neighbouring "
        "frames of a video, or a data set with factors to draw pairs from.",
    ),
    "annealed_vae": ModelDeclaration(
        "AnnealedVAE",
        "reconstruction + gamma |KL - C(t)|",
        "Burgess et al. 2018, Understanding disentangling in beta-VAE",
        {
            "gamma": weight(1000.0, "Weight of the distance between KL divergence and capacity."),
            "capacity_max": number(25.0, "Final capacity, in nats."),
            "capacity_steps": steps(
                100_000, "Steps in which the capacity reaches its final value."
            ),
            "capacity_start": number(0.0, "Initial capacity, in nats."),
        },
        use="You want to set how much information the code carries, in nats, and let it grow "
        "during training.",
    ),
    "beta_tc_vae": ModelDeclaration(
        "BetaTCVAE",
        "reconstruction + alpha mutual information + beta total correlation + gamma rest of the KL",
        "Chen et al. 2018, Isolating Sources of Disentanglement in Variational Autoencoders",
        {
            "beta": weight(12.0, "Weight of the total correlation."),
            "alpha": weight(1.0, "Weight of the mutual information."),
            "gamma": weight(1.0, "Weight of the dimension-wise KL divergence."),
            "estimator": choice(
                "Minibatch estimator: weighted, stratified or bias_corrected.",
                *("weighted", "stratified", "bias_corrected"),
            ),
            "reference_compat": _COMPAT,
        },
        use="You want independent latents from single images without a second network: only the "
        "dependence between latents is penalised, not the information about the image.",
    ),
    "beta_vae": ModelDeclaration(
        "BetaVAE",
        "reconstruction + beta KL",
        "Higgins et al. 2017, beta-VAE: Learning Basic Visual Concepts with a Constrained "
        "Variational Framework",
        {
            "beta": Option(
                "number", 6.0, "Weight of the KL divergence.", weight_or_schedule, (PIXELS,)
            )
        },
        use="A baseline with one weight to tune: a higher beta gives more independent latents "
        "and worse reconstructions.",
    ),
    "cascade_vae": ModelDeclaration(
        "CascadeVAE",
        "reconstruction + sum_d beta_d KL_d, and a categorical code assigned by matching",
        _CASCADE_PAPER,
        {
            "num_categories": whole(3, "Number of categories of the categorical code.", 2),
            **_RELEASE,
            "matching_stage": whole(4, "Stage, counted from 0, in which the matching begins.", 0),
            "pairwise_cost": weight(0.001, "Cost of two images sharing a category, in nats."),
        },
        use="Your images also fall into a few classes, such as shapes: a categorical code finds "
        "them, while the continuous latents take up factors one after another.",
    ),
    "cascade_vae_c": ModelDeclaration(
        "CascadeVAEC",
        "reconstruction + sum_d beta_d KL_d, one dimension released per stage",
        _CASCADE_PAPER,
        _RELEASE,
        use="You want the latents to take up factors one after another, without a categorical "
        "code.",
    ),
    "control_vae": ModelDeclaration(
        "ControlVAE",
        "reconstruction + beta(t) KL, beta set by a PI controller",
        "Shao et al. 2020, ControlVAE: Controllable Variational Autoencoder",
        {
            "kl_target": number(18.0, "Final target of the KL divergence, in nats."),
            "kl_target_start": number(0.5, "Initial target of the KL divergence, in nats."),
            **_TARGET,
            "beta_init": optional_number("Initial beta; without, beta_min."),
            "beta_min": weight(1.0, "Lower limit of beta."),
            "reference_compat": _COMPAT,
        },
        check_together=check_controller,
        use="You want a certain KL divergence, in nats, without a search for the beta that "
        "gives it.",
    ),
    "deft": ModelDeclaration(
        "DEFT",
        "reconstruction + beta_s KL, one group of latents learns per stage",
        "Wu et al. 2022, DEFT: distilling entangled factors by preventing information diffusion",
        {
            "betas": pressures(
                (70.0, 30.0, 15.0, 1.0), "Weights of the KL divergence, one for each stage."
            ),
            "stage_steps": steps(50_000, "Training steps per stage."),
            "gradient_scale": number(
                0.0, "Factor on the gradients of the groups that are not learning."
            ),
        },
        use="Your factors differ in strength, and each group of latents should learn its own in "
        "a stage of its own.",
    ),
    "dip_vae": ModelDeclaration(
        "DIPVAE",
        "reconstruction + KL + lambda_od C_ij^2 + lambda_d (C_ii - 1)^2, C a covariance of codes",
        "Kumar et al. 2018, Variational Inference of Disentangled Latent Concepts from Unlabeled "
        "Observations",
        {
            "kind": choice(
                "Covariance to regularise: i, of the means, or ii, of the codes.", "i", "ii"
            ),
            "lambda_od": weight(10.0, "Weight of the off-diagonal covariances."),
            "lambda_d": optional_number(
                "Weight of the diagonal; without, 10 lambda_od (i) or lambda_od (ii)."
            ),
        },
        use="You want uncorrelated codes and good reconstructions; uncorrelated codes may still "
        "depend on each other.",
    ),
    "dynamic_vae": ModelDeclaration(
        "DynamicVAE",
        "reconstruction + beta(t) KL, beta adjusted step by step by a PI controller",
        "Shao et al. 2022, Rethinking Controllable Variational Autoencoders",
        {
            "kl_target": number(20.0, "Final target of the KL divergence, in nats."),
            "kl_target_start": number(0.0, "Initial target of the KL divergence, in nats."),
            **_TARGET,
            "beta_init": weight(150.0, "Initial beta."),
            "beta_min": weight(0.1, "Lower limit of beta."),
            "window": whole(5, "Steps over which the KL divergence is averaged.", 1),
            "reference_compat": _COMPAT,
        },
        check_together=check_controller,
        use="As ControlVAE, with a pressure that starts high and falls, so that latents "
        "separate before details are learned.",
    ),
    "factor_vae": ModelDeclaration(
        "FactorVAE",
        "reconstruction + KL + gamma total correlation, by a discriminator",
        "Kim and Mnih 2018, Disentangling by Factorising",
        {
            "gamma": weight(35.0, "Weight of the total correlation."),
            "discriminator_units": widths(
                (1000,) * 6, "Widths of the hidden layers of the discriminator."
            ),
        },
        use="You want independent latents, and an estimate of their dependence that does not "
        "depend on the batch size; a second network is trained for it.",
    ),
    "hf_vae": ModelDeclaration(
        "HFVAE",
        "reconstruction + weighted total correlation within and between groups of latents, "
        "dimension-wise KL and mutual information",
        "Esmaeili et al. 2019, Structured Disentangled Representations",
        {
            "within_group_weight": number(1.0, "Weight of the total correlation within groups."),
            "dimension_wise_weight": number(1.0, "Weight of the dimension-wise KL divergence."),
            "mutual_information_weight": number(1.0, "Weight of the mutual information."),
            "between_group_weight": number(1.0, "Weight of the total correlation between groups."),
            "num_groups": optional_whole("Number of groups of latents; without, 2.", 1),
            "group_sizes": optional_widths(
                "Number of latents in each group; without, equal groups."
            ),
            "estimator": choice(
                "Minibatch estimator: bias_corrected, weighted or stratified.",
                *("bias_corrected", "weighted", "stratified"),
            ),
        },
        check_latent_dim=check_groups,
        use="You expect groups of latents that belong together, such as coordinates: "
        "independent between groups, free within them.",
    ),
    "flow_vae": ModelDeclaration(
        "FlowVAE",
        "reconstruction + KL of a Gaussian moved by planar or inverse autoregressive flows",
        "Rezende and Mohamed 2015, Variational Inference with Normalizing Flows; Kingma et al. "
        "2016, Improving Variational Inference with Inverse Autoregressive Flow",
        {
            "flow": choice(
                "Kind of flow: planar or iaf (inverse autoregressive).", "planar", "iaf"
            ),
            "num_flows": whole(2, "Number of flows.", 1),
            "flow_units": widths((128,) * 3, "Widths of the hidden layers in the networks of iaf."),
            "free_bits": number(0.0, "Total KL divergence, in nats, that is not penalised."),
        },
        posterior="sampled",
        check_together=check_flow,
        use="You want a more flexible posterior, and with it a tighter bound on the likelihood. "
        "It has no term for disentanglement.",
    ),
    "joint_vae": ModelDeclaration(
        "JointVAE",
        "reconstruction + gamma |KL_z - C_z(t)| + categorical_gamma |KL_c - C_c(t)|",
        "Dupont 2018, Learning Disentangled Joint Continuous and Discrete Representations",
        {
            "num_categories": whole(3, "Number of categories of the categorical code.", 2),
            "gamma": weight(
                150.0,
                "Weight of the distance between the KL divergence of the continuous code and its "
                "capacity.",
            ),
            "capacity_max": number(40.0, "Final capacity of the continuous code, in nats."),
            "categorical_gamma": weight(
                150.0,
                "Weight of the distance between the KL divergence of the categorical code and its "
                "capacity.",
            ),
            "categorical_capacity_max": number(
                1.1, "Final capacity of the categorical code, in nats."
            ),
            "capacity_steps": steps(
                300_000, "Steps in which both capacities reach their final values."
            ),
            "temperature": number(0.67, "Temperature of the Gumbel-softmax.", positive),
            "capacity_start": number(0.0, "Initial capacity, in nats."),
            "categorical_capacity_start": number(
                0.0, "Initial capacity of the categorical code, in nats."
            ),
        },
        use="Your images have a categorical factor, such as a class, beside continuous ones.",
    ),
    "ladder_vae": ModelDeclaration(
        "LadderVAE",
        "reconstruction + t sum_i KL(q_i, p_i) of stochastic layers, t growing from 0 to 1",
        "Soenderby et al. 2016, Ladder Variational Autoencoders",
        {
            "layer_dims": optional_widths(
                "Number of latents in each layer, from the image upwards; without, as 4:2:1."
            ),
            "kl_warmup_steps": steps(
                30_000, "Steps in which t grows from 0 to 1; 0 starts with 1.", least=0
            ),
            "batch_normalization": flag("Use batch normalisation between the layers.", True),
        },
        posterior="sampled",
        check_latent_dim=layer_dims_of,
        parts_of_code=stochastic_layers,
        use="You expect a hierarchy, with some factors that depend on others: latents lie on "
        "several levels.",
    ),
    "vae": ModelDeclaration(
        "VAE",
        "reconstruction + KL",
        "Kingma and Welling 2014, Auto-Encoding Variational Bayes",
        use="A baseline without any term for disentanglement, and the class to derive new "
        "objectives from.",
    ),
}
