"""The metrics of codes and factors, each as a Keras metric."""

import keras

from keras_devae.metrics.keras.code_metrics import CodeMetric


@keras.saving.register_keras_serializable(package="keras_devae")
class MIG(CodeMetric):
    """Mutual information gap: `keras_devae.metrics.mig` as a Keras metric.

    Takes the arguments of `CodeMetric`.

    Example:
        >>> metric = kd.metrics.keras.MIG(max_rows=5000)
        >>> metric.name
        'mig'
    """

    metric = "mig"


@keras.saving.register_keras_serializable(package="keras_devae")
class SAP(CodeMetric):
    """Separated attribute predictability: `keras_devae.metrics.sap` as a Keras metric.

    Takes the arguments of `CodeMetric`.

    Example:
        >>> metric = kd.metrics.keras.SAP(max_rows=5000)
        >>> metric.name
        'sap'
    """

    metric = "sap"


@keras.saving.register_keras_serializable(package="keras_devae")
class DCI(CodeMetric):
    """Disentanglement, or another number of DCI: `keras_devae.metrics.dci` as a Keras metric.

    Takes the arguments of `CodeMetric`.

    Example:
        >>> metric = kd.metrics.keras.DCI(max_rows=5000)
        >>> metric.name
        'dci'
    """

    metric = "dci"


@keras.saving.register_keras_serializable(package="keras_devae")
class MED(CodeMetric):
    """Mutual information disentanglement: `keras_devae.metrics.med` as a Keras metric.

    Takes the arguments of `CodeMetric`.

    Example:
        >>> metric = kd.metrics.keras.MED(max_rows=5000)
        >>> metric.name
        'med'
    """

    metric = "med"


@keras.saving.register_keras_serializable(package="keras_devae")
class InfoMEC(CodeMetric):
    """Modularity, or another number of InfoMEC: `keras_devae.metrics.infomec` as a Keras metric.

    Takes the arguments of `CodeMetric`.

    Example:
        >>> metric = kd.metrics.keras.InfoMEC(max_rows=5000)
        >>> metric.name
        'infomec'
    """

    metric = "infomec"


@keras.saving.register_keras_serializable(package="keras_devae")
class ModularityExplicitness(CodeMetric):
    """Modularity: `keras_devae.metrics.modularity_explicitness` as a Keras metric.

    Takes the arguments of `CodeMetric`.

    Example:
        >>> metric = kd.metrics.keras.ModularityExplicitness(max_rows=5000)
        >>> metric.name
        'modularity_explicitness'
    """

    metric = "modularity_explicitness"


@keras.saving.register_keras_serializable(package="keras_devae")
class IRS(CodeMetric):
    """Interventional robustness: `keras_devae.metrics.irs` as a Keras metric.

    Takes the arguments of `CodeMetric`.

    Example:
        >>> metric = kd.metrics.keras.IRS(max_rows=5000)
        >>> metric.name
        'irs'
    """

    metric = "irs"


@keras.saving.register_keras_serializable(package="keras_devae")
class FactorVAEScore(CodeMetric):
    """FactorVAE score: `keras_devae.metrics.factor_vae_score` as a Keras metric.

    Takes the arguments of `CodeMetric`.

    Example:
        >>> metric = kd.metrics.keras.FactorVAEScore(max_rows=5000)
        >>> metric.name
        'factor_vae_score'
    """

    metric = "factor_vae_score"


@keras.saving.register_keras_serializable(package="keras_devae")
class BetaVAEScore(CodeMetric):
    """beta-VAE score: `keras_devae.metrics.beta_vae_score` as a Keras metric.

    Takes the arguments of `CodeMetric`.

    Example:
        >>> metric = kd.metrics.keras.BetaVAEScore(max_rows=5000)
        >>> metric.name
        'beta_vae_score'
    """

    metric = "beta_vae_score"


@keras.saving.register_keras_serializable(package="keras_devae")
class DownstreamAccuracy(CodeMetric):
    """Accuracy of predictors: `keras_devae.metrics.downstream_accuracy` as a Keras metric.

    Takes the arguments of `CodeMetric`.

    Example:
        >>> metric = kd.metrics.keras.DownstreamAccuracy(max_rows=5000)
        >>> metric.name
        'downstream_accuracy'
    """

    metric = "downstream_accuracy"


@keras.saving.register_keras_serializable(package="keras_devae")
class MIGSup(CodeMetric):
    """Gap of each latent over factors: `keras_devae.metrics.mig_sup` as a Keras metric.

    Takes the arguments of `CodeMetric`.

    Example:
        >>> metric = kd.metrics.keras.MIGSup(max_rows=5000)
        >>> metric.name
        'mig_sup'
    """

    metric = "mig_sup"


@keras.saving.register_keras_serializable(package="keras_devae")
class DCIMIG(CodeMetric):
    """Exclusive information of codes: `keras_devae.metrics.dcimig` as a Keras metric.

    Takes the arguments of `CodeMetric`.

    Example:
        >>> metric = kd.metrics.keras.DCIMIG(max_rows=5000)
        >>> metric.name
        'dcimig'
    """

    metric = "dcimig"


@keras.saving.register_keras_serializable(package="keras_devae")
class DCIES(CodeMetric):
    """Explicitness, or another number of DCI-ES: `keras_devae.metrics.dci_es` as a Keras metric.

    Takes the arguments of `CodeMetric`.

    Example:
        >>> metric = kd.metrics.keras.DCIES(max_rows=5000)
        >>> metric.name
        'dci_es'
    """

    metric = "dci_es"


@keras.saving.register_keras_serializable(package="keras_devae")
class OMES(CodeMetric):
    """Overlap and multiple encoding: `keras_devae.metrics.omes` as a Keras metric.

    Takes the arguments of `CodeMetric`.

    Example:
        >>> metric = kd.metrics.keras.OMES(max_rows=5000)
        >>> metric.name
        'omes'
    """

    metric = "omes"
