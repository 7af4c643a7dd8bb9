"""What more than one notebook needs, and nothing else."""

import importlib.util
from pathlib import Path

import torch

DATA = Path(__file__).resolve().parent.parent / "data"


def _declare_torchvision_operators():
    """Let `import torchvision` work beside a CPU-only torch.

    The default torchvision wheel for Linux is linked against CUDA. Beside a CPU build of torch its compiled
    library does not load, and torchvision then fails on the operators that it expected from there. Its models
    and transforms need none of them: declaring the two names is enough.
    """
    spec = importlib.util.find_spec("torchvision")
    if spec is None:
        return
    library = next(Path(spec.origin).parent.glob("_C.*"), None)
    try:
        torch.ops.load_library(library)
    except (OSError, TypeError):  # linked against CUDA, or not there at all
        operators = torch.library.Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            if not hasattr(torch.ops.torchvision, name):
                operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        return operators  # the declaration lives as long as this object


_torchvision_operators = _declare_torchvision_operators()

from helpers import datasets, scores  # noqa: E402  after the operators above
from helpers.tracing import explain_sizes, receptive_field, trace  # noqa: E402

__all__ = ["DATA", "datasets", "explain_sizes", "receptive_field", "scores", "trace"]
