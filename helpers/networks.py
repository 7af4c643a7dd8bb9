"""The networks that the series trains: small by default, paper-sized by argument."""

import torch
import torch.nn.functional as F
from torch import nn

from helpers.checks import whole_number


def double_conv(in_channels, out_channels):
    """Two 3×3 convolutions that keep height and width, each with batch norm and ReLU."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
        nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
    )


class UNet(nn.Module):
    """U-Net (Ronneberger et al. 2015, Fig. 1), padded so that the result has the size of the picture.

    Input (N, in_channels, H, W); H and W must be multiples of 2**depth, else ValueError. Output: logits
    (N, classes, H, W). In training mode, with `auxiliary=True`, a dict {"out": logits, "aux": logits of an extra
    1×1 head on the deepest features}, as torchvision's segmentation models return it: a loss on it teaches the
    deep layers directly, which makes training on little data reliable.

    `width` is the number of channels of the first block (64 in the paper); it doubles at each of the `depth`
    poolings (4 in the paper).
    """

    def __init__(self, in_channels, classes, width=8, depth=3, auxiliary=True):
        super().__init__()
        for name, value in [("in_channels", in_channels), ("classes", classes), ("width", width), ("depth", depth)]:
            whole_number(name, value)
        widths = [width * 2**level for level in range(depth + 1)]
        self.in_channels, self.depth = in_channels, depth
        self.down = nn.ModuleList(map(double_conv, [in_channels, *widths[:-2]], widths[:-1]))
        self.bottom = double_conv(widths[-2], widths[-1])
        pairs = [(widths[level + 1], widths[level]) for level in reversed(range(depth))]
        self.up = nn.ModuleList(nn.ConvTranspose2d(deep, shallow, 2, stride=2) for deep, shallow in pairs)
        self.merge = nn.ModuleList(double_conv(2 * shallow, shallow) for _, shallow in pairs)
        self.head = nn.Conv2d(width, classes, 1)
        self.auxiliary_head = nn.Conv2d(widths[-1], classes, 1) if auxiliary else None

    def forward(self, images):
        self._check(images)
        x, skips = images, []
        for block in self.down:
            x = block(x)
            skips.append(x)  # (N, width·2^level, H/2^level, W/2^level)
            x = F.max_pool2d(x, 2)
        deepest = x = self.bottom(x)  # (N, width·2^depth, H/2^depth, W/2^depth)
        for up, merge in zip(self.up, self.merge, strict=True):
            x = merge(torch.cat([skips.pop(), up(x)], dim=1))
        logits = self.head(x)  # (N, classes, H, W)
        if not self.training or self.auxiliary_head is None:
            return logits
        auxiliary = F.interpolate(self.auxiliary_head(deepest), images.shape[-2:], mode="bilinear")
        return {"out": logits, "aux": auxiliary}

    def _check(self, images):
        if images.ndim != 4 or images.shape[1] != self.in_channels:
            raise ValueError(f"images must be (N, {self.in_channels}, H, W), got {tuple(images.shape)}")
        height, width = images.shape[-2:]
        unit = 2**self.depth
        if height % unit or width % unit:
            raise ValueError(f"height and width must be multiples of {unit} (2**depth), got {height}×{width}")
