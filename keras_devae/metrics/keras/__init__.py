"""The metrics of codes and factors as Keras metrics, for any training loop."""

from keras_devae.metrics.keras.code_metrics import (
    DCI,
    IRS,
    MED,
    MIG,
    SAP,
    BetaVAEScore,
    CodeMetric,
    DownstreamAccuracy,
    FactorVAEScore,
    InfoMEC,
    ModularityExplicitness,
)

__all__ = [
    "DCI",
    "IRS",
    "MED",
    "MIG",
    "SAP",
    "BetaVAEScore",
    "CodeMetric",
    "DownstreamAccuracy",
    "FactorVAEScore",
    "InfoMEC",
    "ModularityExplicitness",
]
