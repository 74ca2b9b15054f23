"""Which tests need a processor that computes in half precision."""

import pytest

from keras_devae.backend.choosing import chosen_backend
from keras_devae.process.machine import computes_bfloat16, instruction_sets, onednn_limit

#: TensorFlow leaves half precision to oneDNN where the processor has AVX512, and oneDNN refuses it
#: where `ONEDNN_MAX_CPU_ISA` keeps it from these instructions.
REFUSED = (
    chosen_backend() == "tensorflow"
    and "AVX512" in instruction_sets()
    and onednn_limit() is not None
    and not computes_bfloat16()
)
needs_half_precision = pytest.mark.skipif(
    REFUSED, reason="ONEDNN_MAX_CPU_ISA keeps oneDNN from half precision"
)
