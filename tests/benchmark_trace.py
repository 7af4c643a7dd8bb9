"""How long `trace` takes, beside torch's FlopCounterMode and three packages for receptive fields.

Run by hand: `python tests/benchmark_trace.py [rounds]`. The packages are optional, and skipped where not
installed: torch_receptive_field (github.com/Fangyh09/pytorch-receptive-field), rfa_toolbox (rfa-toolbox
1.7.0) and receptivefield (0.5.0). In each round all run once, in turn, in one process with one thread; a
ratio is that of one round, in CPU time, which another process does not disturb.
"""

import collections.abc
import contextlib
import copy
import importlib
import io
import statistics
import sys
import time
import warnings

import torch
from torch.utils.flop_counter import FlopCounterMode

from helpers.tracing import trace

NETWORKS = ["vgg16", "resnet50", "resnet152", "mobilenet_v2", "densenet121", "deeplabv3_resnet101"]
SHAPE = (3, 224, 224)


def network(name):
    """Up to the last map where there is a classifier: two of the packages know no other."""
    torchvision = importlib.import_module("torchvision")
    options = {"weights_backbone": None} if "deeplab" in name else {}
    model = torchvision.models.get_model(name, weights=None, **options).eval()
    if name.startswith("resnet"):
        return torch.nn.Sequential(*list(model.children())[:-2])
    return getattr(model, "features", model)


def flop_counter(model, meta_model):
    with torch.no_grad(), FlopCounterMode(display=False):
        meta_model(torch.empty(1, *SHAPE, device="meta"))


def torch_receptive_field(model, meta_model):
    importlib.import_module("torch_receptive_field").receptive_field(model, SHAPE, device="cpu")


def rfa_toolbox(model, meta_model):
    collections.Sequence = collections.abc.Sequence  # it asks for a name that Python 3.10 took away
    package = importlib.import_module("rfa_toolbox.encodings.pytorch.ingest_architecture")
    package.create_graph_from_model(model, input_res=(1, *SHAPE))


class FeatureMaps(torch.nn.Module):
    """receptivefield asks for a model that keeps its maps."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        y = self.model(x)
        y = y["out"] if isinstance(y, dict) else y
        self.feature_maps = [y if y.ndim == 4 else y[:, :, None, None]]
        return y


def receptivefield(model, meta_model):
    package = importlib.import_module("receptivefield.pytorch")
    package.PytorchReceptiveField(lambda: FeatureMaps(model)).compute((*SHAPE[1:], SHAPE[0]))


PEERS = [flop_counter, torch_receptive_field, rfa_toolbox, receptivefield]


def seconds(function, *arguments):
    """(time, error)"""
    start, error = time.process_time(), None
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            function(*arguments)
        except ModuleNotFoundError:
            return None, "not installed"
        except Exception as exception:
            error = f"then fails: {type(exception).__name__} {exception}".splitlines()[0][:60]
    return time.process_time() - start, error


def main(rounds):
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    print(f"torch {torch.__version__}, {rounds} rounds; ratio other / ours: median (smallest–largest)")
    for name in NETWORKS:
        model = network(name)
        meta_model = copy.deepcopy(model).to("meta")
        trace(model, SHAPE)
        times = {peer: [] for peer in PEERS}
        ours, errors = [], {}
        for _ in range(rounds):
            ours.append(seconds(trace, model, SHAPE)[0])
            for peer in PEERS:
                taken, errors[peer] = seconds(peer, copy.deepcopy(model), meta_model)
                times[peer].append(taken)
        print(f"{name}: ours {statistics.median(ours):.3f} s")
        for peer in PEERS:
            if None in times[peer]:
                print(f"    {peer.__name__:22} {errors[peer]}")
                continue
            ratios = sorted(taken / mine for taken, mine in zip(times[peer], ours, strict=True))
            figures = f"{statistics.median(ratios):7.2f} ({ratios[0]:.2f}–{ratios[-1]:.2f})"
            print(f"    {peer.__name__:22} {figures} {errors[peer] or ''}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
