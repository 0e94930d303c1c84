"""torchvision without torch's compiler, which it imports for one function that nothing here calls: without it the
imports of a command take two thirds of the time. Whoever asks for that function still gets it.

The transforms are torchvision's first ones: its v2 has the compiler imported at once (tv_tensors)."""

import importlib
import sys
from types import ModuleType

COMPILER = "torch._dynamo.utils"


class _Later(ModuleType):
    """Stands in for the compiler's module while torchvision is imported (its ops/roi_align.py)."""

    def is_compile_supported(self, device_type: str) -> bool:
        return _real().is_compile_supported(device_type)

    def __getattr__(self, name: str):
        if name.startswith("__"):
            raise AttributeError(name)  # what the import system itself asks for
        return getattr(_real(), name)


def _step_aside() -> None:
    if isinstance(sys.modules.get(COMPILER), _Later):
        del sys.modules[COMPILER]


def _real() -> ModuleType:
    _step_aside()
    return importlib.import_module(COMPILER)


if COMPILER not in sys.modules:
    sys.modules[COMPILER] = _Later(COMPILER)
try:
    from torchvision import transforms
    from torchvision.models import DenseNet
finally:
    _step_aside()

__all__ = ["DenseNet", "transforms"]
