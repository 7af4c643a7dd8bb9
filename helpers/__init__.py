"""What more than one notebook needs, and nothing else."""

import importlib
import importlib.util
import sys
from pathlib import Path

import torch

DATA = Path(__file__).resolve().parent.parent / "data"


def _declare_torchvision_operators():
    """Let `import torchvision` work beside a CPU-only torch.

    The default torchvision wheel for Linux is linked against CUDA. Beside a CPU build of torch its compiled
    library does not load, and torchvision then fails on the operators that it expected from there. Its models
    and transforms need none of them: declaring the two names is enough.
    """
    if "torchvision" in sys.modules or importlib.util.find_spec("torchvision") is None or _library_loads():
        return None
    operators = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return operators  # the declaration lives as long as this object


def _library_loads():
    """Whether torchvision's compiled library loads. Its own loader, extension.py, is asked: the file's name changes.

    The loader runs in a package whose __init__, which needs the operators, has not run. Both are forgotten again.
    """
    sys.modules["torchvision"] = importlib.util.module_from_spec(importlib.util.find_spec("torchvision"))
    try:
        return importlib.import_module("torchvision.extension")._has_ops()
    except RuntimeError:  # it loads, but was built for another CUDA: `import torchvision` will say so
        return True
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]


_torchvision_operators = _declare_torchvision_operators()

from helpers import datasets, scores  # noqa: E402  after the operators above
from helpers.tracing import explain_sizes, receptive_field, trace  # noqa: E402

__all__ = ["DATA", "datasets", "explain_sizes", "receptive_field", "scores", "trace"]
