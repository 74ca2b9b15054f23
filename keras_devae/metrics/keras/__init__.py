"""The metrics of codes and factors as Keras metrics, for any training loop."""

from keras_devae.metrics.keras.code_metrics import CodeMetric
from keras_devae.metrics.keras.score_metrics import (
    DCI,
    DCIES,
    DCIMIG,
    IRS,
    MED,
    MIG,
    OMES,
    SAP,
    BetaVAEScore,
    DownstreamAccuracy,
    FactorVAEScore,
    InfoMEC,
    MIGSup,
    ModularityExplicitness,
)

__all__ = [
    "DCI",
    "DCIES",
    "DCIMIG",
    "IRS",
    "MED",
    "MIG",
    "OMES",
    "SAP",
    "BetaVAEScore",
    "CodeMetric",
    "DownstreamAccuracy",
    "FactorVAEScore",
    "InfoMEC",
    "MIGSup",
    "ModularityExplicitness",
]
