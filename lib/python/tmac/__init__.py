# SPDX-License-Identifier: MIT
"""libtmac from Python: low-bit weights times float activations on CPUs, by table lookup.

    import numpy as np, tmac

    weights = tmac.Weights.from_ggml("Q4_K", blocks, rows=4096, cols=4096)
    y = weights.gemv(x)                  # x: float32 [4096] -> float32 [4096]

    tables = tmac.Tables(wq).build(x)    # prepared once ...
    q, k, v = wq.gemv(tables), wk.gemv(tables), wv.gemv(tables)    # ... used three times

    tmac.multiply(w, x, bias=b, out=y, accumulate=True)         # y += W x + b
    tmac.multiply(experts, x, ids=[[3, 0], [1, 3]])             # a mixture of experts

Threads. While a call is in C the GIL is released. A Context and Weights may be used by any number
of threads at once. Tables too, as long as none of them is in build(): give each thread its own
Tables, or build before you share. Anything may be closed at any time; memory goes when the last
call and the last object that need it are gone.
"""

from ._lib import Error, Status
from ._version import __version__
from .context import Context, default_context
from .formats import FORMATS, WIDTHS
from .multiply import multiply
from .tables import Tables
from .tuning import Tuning
from .weights import Weights, WeightsInfo, matmul

__all__ = ["Context", "Error", "FORMATS", "Status", "Tables", "Tuning", "WIDTHS", "Weights", "WeightsInfo",
           "__version__", "default_context", "matmul", "multiply"]
