"""The networks that the series trains: small by default, paper-sized by argument.

Input (N, in_channels, H, W), float; output: logits (N, classes, H, W). In training mode, with `auxiliary=True`, the
output is a dict {"out": logits, "aux": logits of an extra 1×1 head on the deepest features}, as torchvision's
segmentation models return it: a loss on it teaches the deep layers directly, which makes training on little data
reliable. In eval mode the extra head is not used. Wrong arguments and pictures: ValueError.
"""

import itertools

import torch
import torch.nn.functional as F
from torch import nn

from helpers.checks import whole_number


def convolution(in_channels, out_channels, kernel_size=3, *, stride=1, dilation=1, padded=True, norm=True, groups=1):
    """A convolution, batch norm and ReLU; without `norm` a bias in place of batch norm. `padded`: by the half kernel,
    so that with stride 1 height and width stay."""
    padding = dilation * (kernel_size // 2) if padded else 0
    layer = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias=not norm)
    return nn.Sequential(layer, *([nn.BatchNorm2d(out_channels)] if norm else []), nn.ReLU())


def separable_convolution(in_channels, out_channels, kernel_size=3, *, norm=True, **options):
    """The same in two stages (Howard et al. 2017, Fig. 3): one kernel for each channel, then a 1×1 convolution."""
    depthwise = convolution(in_channels, in_channels, kernel_size, norm=norm, groups=in_channels, **options)
    return nn.Sequential(*depthwise, *convolution(in_channels, out_channels, 1, norm=norm))


def double_conv(in_channels, out_channels, separable=False, **options):
    """Two 3×3 convolutions, as `convolution` or `separable_convolution` makes them, in one flat Sequential."""
    block = separable_convolution if separable else convolution
    return nn.Sequential(*block(in_channels, out_channels, **options), *block(out_channels, out_channels, **options))


def dilated_stack(in_channels, classes, dilations, width=16):
    """3×3 convolutions with these dilations, at full resolution, then a 1×1 convolution. No auxiliary head."""
    whole_number("classes", classes)
    channels = [whole_number("in_channels", in_channels)] + [whole_number("width", width)] * len(dilations)
    dilations = [whole_number("dilation", dilation) for dilation in dilations]
    layers = [convolution(channels[i], width, dilation=dilation) for i, dilation in enumerate(dilations)]
    return nn.Sequential(*layers, nn.Conv2d(channels[-1], classes, 1))


class Segmenter(nn.Module):
    """What the three networks share: the look at the picture, and the auxiliary head."""

    def __init__(self, in_channels, classes):
        super().__init__()
        self.in_channels = whole_number("in_channels", in_channels)
        self.classes = whole_number("classes", classes)

    def check(self, images):
        if images.ndim != 4 or images.shape[1] != self.in_channels:
            raise ValueError(f"images must be (N, {self.in_channels}, H, W), got {tuple(images.shape)}")

    def finish(self, logits, deepest, enlarge):
        """Logits; in training mode beside those of the auxiliary head, which `enlarge` brings to the same size."""
        if not self.training or self.auxiliary_head is None:
            return logits
        return {"out": logits, "aux": enlarge(self.auxiliary_head(deepest))}


class FCN(Segmenter):
    """FCN-32s, 16s or 8s, by `prediction_stride` (Long et al. 2015, Fig. 3). Pictures may have any size.

    A 1×1 convolution turns the deepest features (stride 32) into scores. Those of 16s and 8s are enlarged twofold and
    *added* to the scores of a shallower map, which start at zero. In the end the scores are enlarged to the picture.
    Enlarging is bilinear and has no weights; with `learned_upsampling` it is a transposed convolution with one kernel
    for each class, which starts as bilinear (the paper learns all but the last).

    `backbone="vgg16"` is the paper's: 134 million parameters, no batch norm. The paper pads the picture by 100 pixels
    and crops the scores; here the convolutions are padded, and scores are cropped where the last cells hang over.
    """

    # stages of (convolutions, channels), each with a pooling; then the layers (kernel_size, channels) behind them
    SMALL = ((1, 16), (1, 32), (1, 48), (1, 64), (1, 64)), ()
    VGG16 = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)), ((7, 4096), (1, 4096))

    def __init__(
        self, in_channels, classes, prediction_stride=8, backbone="small", learned_upsampling=False, auxiliary=True
    ):
        super().__init__(in_channels, classes)
        self.prediction_stride = _one_of("prediction_stride", prediction_stride, (8, 16, 32))
        small = _one_of("backbone", backbone, ("small", "vgg16")) == "small"
        stages, classifier = self.SMALL if small else self.VGG16
        channels = in_channels
        self.stages = nn.ModuleList()
        for count, width in stages:
            inputs = [channels] + [width] * (count - 1)
            convolutions = [convolution(channels, width, norm=small) for channels in inputs]
            self.stages.append(nn.Sequential(*convolutions, nn.MaxPool2d(2, ceil_mode=True)))  # no pixel is left out
            channels = width
        layers = []
        for kernel_size, width in classifier:
            layers += [convolution(channels, width, kernel_size, norm=small), nn.Dropout2d()]
            channels = width
        self.classifier = nn.Sequential(*layers)
        self.score = nn.Conv2d(channels, classes, 1)
        self.shallower = {32: [], 16: [3], 8: [3, 2]}[prediction_stride]  # the stages that give scores too
        self.skip_scores = nn.ModuleList(nn.Conv2d(stages[stage][1], classes, 1) for stage in self.shallower)
        for layer in self.skip_scores:
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        factors = [2] * len(self.shallower) + [prediction_stride]
        self.enlarge = nn.ModuleList(Upsampling(classes, factor, learned_upsampling) for factor in factors)
        self.auxiliary_head = nn.Conv2d(channels, classes, 1) if auxiliary else None

    def forward(self, images):
        self.check(images)
        x, maps = images, []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)  # (N, C, H/2, W/2), …, (N, C, H/32, W/32), rounded up
        deepest = self.classifier(x)
        scores = self.score(deepest)  # (N, classes, H/32, W/32)
        for i, stage in enumerate(self.shallower):
            scores = self.enlarge[i](scores, maps[stage]) + self.skip_scores[i](maps[stage])
        logits = self.enlarge[-1](scores, images)  # (N, classes, H, W)
        return self.finish(logits, deepest, lambda scores: Upsampling(self.classes, 32)(scores, images))


class Upsampling(nn.Module):
    """`factor` times as large, bilinear, then cut to the height and width of `like`: unit i covers `factor` pixels,
    from factor·i on. `learned`: a transposed convolution, at first the same but for the border, beyond which it sees
    zeros."""

    def __init__(self, channels, factor, learned=False):
        super().__init__()
        self.factor, self.layer = factor, None
        if learned:
            self.layer = nn.ConvTranspose2d(
                channels, channels, 2 * factor, factor, padding=factor // 2, groups=channels, bias=False
            )
            triangle = 1 - (torch.arange(2 * factor) - factor + 0.5).abs() / factor
            with torch.no_grad():
                self.layer.weight.copy_(triangle[:, None] * triangle)

    def forward(self, x, like):
        height, width = like.shape[-2:]
        x = self.layer(x) if self.layer else F.interpolate(x, scale_factor=self.factor, mode="bilinear")
        return x[..., :height, :width]


class UNet(Segmenter):
    """U-Net (Ronneberger et al. 2015, Fig. 1), padded so that the result has the size of the picture.

    `width` is the number of channels of the first block (64 in the paper); it doubles at each of the `depth` poolings
    (4 in the paper). `skips=False` leaves the copies out, `skips="sum"` adds them instead of joining them as channels.
    With `padded=False` the result is smaller than the picture.
    The paper's: `UNet(1, 2, width=64, depth=4, padded=False, norm=False, auxiliary=False)`.

    Height and width must be multiples of 2**depth; without padding they must be 2**depth·b − 4 with a whole b, and
    large enough. `odd_sizes` lets a padded network take other sizes; it may be changed after training:

    | value         | what happens                                                                           |
    |---------------|----------------------------------------------------------------------------------------|
    | "refuse"      | ValueError                                                                             |
    | "pad"         | the last row and column are repeated up to the next multiple, the result is cut back   |
    | "output_size" | the transposed convolutions add the row and column that the skip has more              |
    | "interpolate" | their result is enlarged to the size of the skip, bilinearly                           |
    | "crop"        | the skip is cut at its end instead: the result is smaller than the picture             |
    """

    ODD_SIZES = ("refuse", "pad", "output_size", "interpolate", "crop")

    def __init__(
        self,
        in_channels,
        classes,
        width=8,
        depth=3,
        skips=True,
        padded=True,
        auxiliary=True,
        *,
        norm=True,
        separable=False,
        odd_sizes="refuse",
    ):
        super().__init__(in_channels, classes)
        self.width, self.depth = whole_number("width", width), whole_number("depth", depth)
        self.skips = _one_of("skips", skips, (True, False, "sum"))
        self.padded = padded
        self.odd_sizes = _one_of("odd_sizes", odd_sizes, self.ODD_SIZES if padded else ("refuse",))
        options = {"padded": padded, "norm": norm, "separable": separable}
        widths = [width * 2**level for level in range(depth + 1)]
        inputs = [in_channels, *widths[:-2]]
        self.down = nn.ModuleList(double_conv(*pair, **options) for pair in zip(inputs, widths[:-1], strict=True))
        self.bottom = double_conv(widths[-2], widths[-1], **options)
        pairs = [(widths[level + 1], widths[level]) for level in reversed(range(depth))]
        self.up = nn.ModuleList(nn.ConvTranspose2d(deep, shallow, 2, stride=2) for deep, shallow in pairs)
        joined = 2 if skips is True else 1
        self.merge = nn.ModuleList(double_conv(joined * shallow, shallow, **options) for _, shallow in pairs)
        self.head = nn.Conv2d(width, classes, 1)
        self.auxiliary_head = nn.Conv2d(widths[-1], classes, 1) if auxiliary else None

    def forward(self, images):
        self.check(images)
        x, skips = images, []
        if self.odd_sizes == "pad":
            rows, columns = (-size % 2**self.depth for size in images.shape[-2:])
            x = F.pad(images, (0, columns, 0, rows), mode="replicate")
        for block in self.down:
            x = block(x)
            skips.append(x)  # (N, width·2^level, H/2^level, W/2^level)
            x = F.max_pool2d(x, 2)
        deepest = x = self.bottom(x)  # (N, width·2^depth, H/2^depth, W/2^depth)
        for up, merge in zip(self.up, self.merge, strict=True):
            skip = skips.pop()
            x = self._enlarge(up, x, skip)
            # padded maps begin at one corner; without padding each map lies in the middle of the shallower one
            skip = skip[..., : x.shape[-2], : x.shape[-1]] if self.padded else _middle(skip, x)
            if self.skips == "sum":
                x = x + skip
            elif self.skips:
                x = torch.cat([skip, x], dim=1)
            x = merge(x)
        logits = self.head(x)  # (N, classes, H, W)
        if self.odd_sizes == "pad":
            logits = logits[..., : images.shape[-2], : images.shape[-1]]
        return self.finish(logits, deepest, lambda scores: self._auxiliary(scores, images, logits))

    def _enlarge(self, up, x, skip):
        if self.odd_sizes == "output_size":
            return up(x, output_size=skip.shape[-2:])
        x = up(x)
        if self.odd_sizes == "interpolate":
            return F.interpolate(x, skip.shape[-2:], mode="bilinear")
        return x

    def _auxiliary(self, scores, images, logits):
        """Scores of the deepest map at the size of the logits."""
        if self.padded:
            scores = F.interpolate(scores, images.shape[-2:], mode="bilinear")
            return scores[..., : logits.shape[-2], : logits.shape[-1]]
        return _middle(F.interpolate(scores, scale_factor=2**self.depth, mode="bilinear"), logits)

    def check(self, images):
        super().check(images)
        size, unit = images.shape[-2:], 2**self.depth
        got = f"got {size[0]}×{size[1]}"
        if not self.padded:
            if any((side + 4) % unit or side <= 12 * unit - 8 for side in size):
                smallest = next(side for side in range(12 * unit - 7, 14 * unit) if (side + 4) % unit == 0)
                raise ValueError(f"height and width must be {smallest}, {smallest + unit}, … (+ {unit}), {got}")
        elif self.odd_sizes == "refuse" and any(side % unit for side in size):
            raise ValueError(f"height and width must be multiples of {unit} (2**depth), {got}")
        elif min(size) < unit and self.odd_sizes != "pad":
            raise ValueError(f"height and width must be ≥ {unit} (2**depth), {got}")


class DeepLab(Segmenter):
    """DeepLab v3+ (Chen et al. 2018, Fig. 2): dilated residual backbone, ASPP, decoder. Pictures may have any size.

    The backbone halves the map until `output_stride` is reached; from there on, strides become dilations: the weights
    stay the same, and so do the features at the positions that the stride would have kept. Each part can be left
    out: `aspp` (three dilated 3×3 branches beside the 1×1 branch, at `rates`; by default they double from output
    stride 16 to 8, as in the papers), `image_pooling` (a branch that sees the mean of the picture), `decoder` (joins
    shallow features; without it, this is v3). `separable`: the 3×3 convolutions in two stages, but for the very first.

    `widths` holds the channels of the backbone's stages, `head_width` those of ASPP and decoder. The paper's:
    `DeepLab(3, 21, output_stride=16, backbone="resnet101", auxiliary=False)`, with torchvision's backbone as it is.
    """

    def __init__(
        self,
        in_channels,
        classes,
        output_stride=8,
        aspp=True,
        image_pooling=True,
        decoder=True,
        separable=False,
        auxiliary=True,
        *,
        widths=(16, 24, 32, 48, 64),
        head_width=32,
        rates=None,
        backbone="small",
    ):
        super().__init__(in_channels, classes)
        small = _one_of("backbone", backbone, ("small", "resnet101")) == "small"
        strides = [2**stage for stage in range(2, len(widths) + 1)] if small else (8, 16, 32)
        self.output_stride = _one_of("output_stride", output_stride, strides)
        self.image_pooling, head_width = image_pooling, whole_number("head_width", head_width) if small else 256
        block = separable_convolution if separable else convolution
        if small:
            self.stages, shallow, deep, reduced = _small_stages(in_channels, widths, output_stride, block)
        else:
            self.stages, shallow, deep, reduced = _resnet_stages(in_channels, output_stride)
        if rates is None:
            rates = [rate * max(16 // output_stride, 1) for rate in ((1, 2, 3) if small else (6, 12, 18))]
        branches = [convolution(deep, head_width, 1)]
        branches += [block(deep, head_width, dilation=whole_number("rate", rate)) for rate in rates if aspp]
        if image_pooling:
            branches.append(nn.Sequential(nn.AdaptiveAvgPool2d(1), *convolution(deep, head_width, 1)))
        self.branches = nn.ModuleList(branches)
        self.project = convolution(head_width * len(branches), head_width, 1)
        self.reduce = convolution(shallow, reduced, 1) if decoder else None
        if decoder:
            refined = [block(head_width + reduced, head_width), block(head_width, head_width)]
            self.refine = nn.Sequential(*refined)
        self.head = nn.Conv2d(head_width, classes, 1)
        self.auxiliary_head = nn.Conv2d(deep, classes, 1) if auxiliary else None

    def forward(self, images):
        self.check(images)
        shallow = self.stages[0](images)  # (N, C, H/2, W/2), rounded up; of a ResNet, H/4
        deepest = self.stages[1:](shallow)  # (N, C, H/output_stride, W/output_stride)
        seen = [_enlarge(branch(deepest), deepest) for branch in self.branches]
        x = self.project(torch.cat(seen, dim=1))
        if self.reduce:
            x = self.refine(torch.cat([_enlarge(x, shallow), self.reduce(shallow)], dim=1))
        logits = _enlarge(self.head(x), images)  # (N, classes, H, W)
        return self.finish(logits, deepest, lambda scores: _enlarge(scores, images))

    def check(self, images):
        super().check(images)
        if self.training and self.image_pooling and len(images) == 1:
            raise ValueError(
                "image_pooling trains by batch norm over pictures: every batch, the last too, needs ≥ 2 of them"
            )


class Residual(nn.Module):
    """Two 3×3 convolutions, added to their input (He et al. 2016, Fig. 2). `stride` and `entry`, the dilation of the
    first, belong to the map that comes in; `dilation` to the one that goes out."""

    def __init__(self, in_channels, out_channels, stride, entry, dilation, block):
        super().__init__()
        self.first = block(in_channels, out_channels, stride=stride, dilation=entry)
        self.second = block(out_channels, out_channels, dilation=dilation)[:-1]  # its ReLU comes after the sum
        self.shortcut = convolution(in_channels, out_channels, 1, stride=stride)[:-1]

    def forward(self, x):
        return F.relu(self.second(self.first(x)) + self.shortcut(x))


def _small_stages(in_channels, widths, output_stride, block):
    """(stages, channels of the first, channels of the last, channels that the decoder makes of the first)."""
    widths = [whole_number("width", width) for width in widths]
    stages, stride, dilation = [convolution(in_channels, widths[0], stride=2)], 2, 1
    for channels, width in itertools.pairwise(widths):
        if stride < output_stride:
            stages.append(Residual(channels, width, 2, 1, 1, block))
            stride *= 2
        else:  # no stride: what follows dilates twice as far, so that every weight meets the same features
            stages.append(Residual(channels, width, 1, dilation, 2 * dilation, block))
            dilation *= 2
    return nn.Sequential(*stages), widths[0], widths[-1], widths[0]


def _resnet_stages(in_channels, output_stride):
    from torchvision.models import resnet101

    if in_channels != 3:
        raise ValueError(f"in_channels must be 3 with backbone='resnet101', got {in_channels}")
    net = resnet101(replace_stride_with_dilation=[False, output_stride < 16, output_stride < 32])
    first = nn.Sequential(net.conv1, net.bn1, net.relu, net.maxpool, net.layer1)
    return nn.Sequential(first, net.layer2, net.layer3, net.layer4), 256, 2048, 48


def _enlarge(x, like):
    return F.interpolate(x, like.shape[-2:], mode="bilinear")


def _middle(x, like):
    """The middle of `x` (N, C, H, W), as high and wide as `like`."""
    top, left = ((have - want) // 2 for have, want in zip(x.shape[-2:], like.shape[-2:], strict=True))
    return x[..., top : top + like.shape[-2], left : left + like.shape[-1]]


def _one_of(name, value, allowed):
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")
    return value
