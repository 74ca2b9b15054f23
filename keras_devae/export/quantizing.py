"""Stores the weights of a LiteRT file in 8 bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

#: Smaller layers keep float32: the heads and the layers next to the pixels, whose rounding reaches
#: the outputs directly and whose bytes hardly count.
_SMALLEST = 4096
#: Whole numbers for the weights, with a scale for each output channel. The file turns them back
#: into floats: computing with whole numbers, too, would change codes several times as much.
_RECIPE: list[dict[str, Any]] = [
    {
        "regex": ".*",
        "operation": "*",
        "algorithm_key": "min_max_uniform_quantize",
        "op_config": {
            "weight_tensor_config": {
                "num_bits": 8,
                "symmetric": True,
                "granularity": "CHANNELWISE",
                "dtype": "INT",
            },
            "compute_precision": "FLOAT",
            "explicit_dequantize": True,
            "min_weight_elements": _SMALLEST,
        },
    }
]


def quantize_weights(file: Path) -> None:
    """Rewrites a `.tflite` file with the weights of its large layers in 8 bits."""
    from ai_edge_quantizer.quantizer import Quantizer

    result = Quantizer(file.read_bytes(), _RECIPE).quantize()
    file.write_bytes(bytes(result.quantized_model))
