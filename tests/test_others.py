"""The tracer on networks that we did not write: segmentation-models-pytorch and timm, where these are installed.

No weights are loaded. Parameters are counted, multiply-adds compared with torch's own counter, and what a unit
sees with its gradient. Unknown is allowed only where listed, with its reason.
"""

import copy
import os
import warnings
from types import NoneType

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import helpers  # noqa: F401  before torchvision, which both packages import
from helpers.tracing import trace
from helpers.tracing.probing import effective_receptive_field
from helpers.tracing.tracer import Unknown

smp = pytest.importorskip("segmentation_models_pytorch", reason="the networks of others are not installed")
timm = pytest.importorskip("timm", reason="the networks of others are not installed")

LONG = os.environ.get("LONG_TESTS") == "1"
CUT = "cuts an axis of the picture into blocks, as window attention and space-to-depth do"
# (architecture, encoder): what is unknown about it
SEGMENTATION = {
    ("Unet", "resnet34"): None,
    ("Unet", "efficientnet-b0"): None,
    ("Unet", "densenet121"): None,
    ("Unet", "tu-res2net50_26w_4s"): None,
    ("UnetPlusPlus", "resnet18"): None,
    ("MAnet", "resnet18"): None,
    ("Linknet", "vgg11_bn"): None,
    ("FPN", "timm-regnetx_002"): None,
    ("FPN", "tu-hrnet_w18_small"): None,
    ("PSPNet", "se_resnet50"): None,
    ("PAN", "resnet18"): None,
    ("DeepLabV3", "mobilenet_v2"): None,
    ("DeepLabV3Plus", "tu-resnest14d"): None,
    ("UPerNet", "resnet34"): None,
    ("UPerNet", "tu-swinv2_tiny_window8_256"): CUT,
    ("Segformer", "mit_b0"): None,
}
CLASSIFICATION = {
    "convnext_tiny": None,
    "dla34": None,
    "legacy_xception": None,
    "mobilenetv3_large_100": None,
    "tresnet_m": CUT,
}
QUICK = [("Unet", "resnet34"), ("MAnet", "resnet18"), ("UPerNet", "resnet34"), ("Segformer", "mit_b0"), "tresnet_m"]
NETWORKS = SEGMENTATION | CLASSIFICATION
SHAPE = (3, 128, 128)


def build(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if isinstance(name, str):
            return timm.create_model(name)
        shape = {"img_size": SHAPE[1:]} if "swin" in name[1] else {}
        return getattr(smp, name[0])(name[1], encoder_weights=None, **shape)


@pytest.mark.parametrize("name", NETWORKS if LONG else QUICK, ids=str)
def test_networks_of_others(name):
    torch.manual_seed(0)
    model = build(name).eval()
    table = trace(model, SHAPE)
    assert table.total.parameters == sum(p.numel() for p in model.parameters())
    assert 2 * table.total.macs == torch_counts(model)

    unknown = [row.receptive_field for row in table if isinstance(row.receptive_field, Unknown)]
    assert {u.detail for u in unknown} == ({f"it {NETWORKS[name]}"} if NETWORKS[name] else set())
    partial = [row for row in table if seen_in_part(row)]
    print(f"{name}: {table.total}, last {table[-1].receptive_field}, unknown {len(unknown)} of {len(table)}")
    layers = [row.name for row in partial if row.kind in ("Conv2d", "BatchNorm2d", "MaxPool2d")]
    for layer in layers[:: max(1, len(layers) // 4)]:
        check_inclusion(model, layer, [row for row in table if row.name == layer][-1])  # of several calls the last


def torch_counts(model):
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        copy.deepcopy(model).to("meta")(torch.empty(1, *SHAPE, device="meta"))
    return counter.get_total_flops()


def seen_in_part(row):
    return not isinstance(row.receptive_field, Unknown | NoneType) and not all(row.receptive_field.whole)


def check_inclusion(model, layer, row):
    """The middle unit moves with no pixel outside of its field."""
    unit = tuple(size // 2 for size in row.output_shape[1:])
    moved = effective_receptive_field(model, SHAPE, unit, layer, pictures=1) > 0
    for lines, (first, last) in zip((moved.any(1), moved.any(0)), row.receptive_field.span(*unit), strict=True):
        seen = lines.nonzero()
        assert len(seen) == 0 or first <= seen.min() <= seen.max() <= last, f"{layer} sees more than {first}…{last}"
