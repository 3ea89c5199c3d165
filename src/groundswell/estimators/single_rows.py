"""A booster asked for one row at a time, by the calls that LightGBM has for it.

What `Booster.predict` prepares for each call, and throws away again, is prepared once. Source: LightGBM's C API,
`LGBM_BoosterPredictForMatSingleRowFast`; its Python package loads the library and names neither it nor the handle of a
booster in its documents, so a test holds this against `Booster.predict`.
"""

from __future__ import annotations

import ctypes
import weakref
from typing import Any

import numpy as np

from groundswell.boosting_library import load_lightgbm
from groundswell.calibration.scores import Floats

#: Words of LightGBM's c_api.h: numbers of 64 bits, the usual kind of prediction, all rounds.
_FLOAT64, _NORMAL, _ALL = 1, 0, -1


class SingleRows:
    """What a booster says of one row; may be called from any thread."""

    def __init__(self, booster: Any) -> None:
        basic = load_lightgbm().basic
        self._booster = booster  # lives as long as what was prepared of it
        self._library, self._check = basic._LIB, basic._safe_call
        self._features, self._outputs = booster.num_feature(), booster.num_model_per_iteration()
        self._prepared = ctypes.c_void_p()
        self._check(
            self._library.LGBM_BoosterPredictForMatSingleRowFastInit(
                booster._handle,
                ctypes.c_int(_NORMAL),
                ctypes.c_int(0),
                ctypes.c_int(_ALL),
                ctypes.c_int(_FLOAT64),
                ctypes.c_int32(self._features),
                ctypes.c_char_p(b"num_threads=1"),
                ctypes.byref(self._prepared),
            )
        )
        weakref.finalize(self, self._library.LGBM_FastConfigFree, self._prepared)

    def output(self, features: Floats) -> Floats:
        """Return the outputs for one row, shape (features,) in and (outputs,) out; raises ValueError for any other."""
        if features.shape != (self._features,):  # LightGBM would read beyond the row
            raise ValueError(f"a row of shape {features.shape} for a booster of {self._features} features")
        row, found = np.ascontiguousarray(features, dtype=np.float64), np.empty(self._outputs)
        length = ctypes.c_int64()
        self._check(
            self._library.LGBM_BoosterPredictForMatSingleRowFast(
                self._prepared,
                ctypes.c_void_p(row.ctypes.data),
                ctypes.byref(length),
                ctypes.c_void_p(found.ctypes.data),
            )
        )
        return found
