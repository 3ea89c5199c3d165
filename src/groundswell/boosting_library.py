"""LightGBM without what it would bring along."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

#: LightGBM imports them where it finds them, for wrappers and plots that are not used here: a second each process.
_UNUSED = frozenset({"sklearn", "pandas", "matplotlib", "dask"})


class _Absent(MetaPathFinder):
    """Says to the thread that made it that the unused packages are not installed; other threads find them."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return None, which leaves the module to the finders after this one; raises ModuleNotFoundError."""
        if fullname in _UNUSED and threading.get_ident() == self._thread:
            raise ModuleNotFoundError(f"{fullname} is not needed", name=fullname)
        return None


def load_lightgbm() -> ModuleType:
    """Return the module `lightgbm`; what is imported already stays, and can be imported afterwards as ever.

    >>> load_lightgbm().__name__
    'lightgbm'
    """
    absent = _Absent()
    sys.meta_path.insert(0, absent)
    try:
        import lightgbm
    finally:
        sys.meta_path.remove(absent)
    module: ModuleType = lightgbm
    return module
