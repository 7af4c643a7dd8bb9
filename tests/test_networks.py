"""The networks: the papers' counts and sizes, what each argument leaves out, any size, clear refusals."""

import pytest
import torch
import torch.nn.functional as F

from helpers import receptive_field, trace
from helpers.networks import FCN, DeepLab, UNet, convolution, dilated_stack, separable_convolution

torch.set_num_threads(1)
SMALL = {
    "FCN-32s": lambda **options: FCN(3, 7, 32, **options),
    "FCN-16s": lambda **options: FCN(3, 7, 16, **options),
    "FCN-8s": lambda **options: FCN(3, 7, 8, **options),
    "FCN-8s, learned": lambda **options: FCN(3, 7, 8, learned_upsampling=True, **options),
    "U-Net": lambda **options: UNet(3, 7, **options),
    "U-Net without skips": lambda **options: UNet(3, 7, skips=False, **options),
    "U-Net, skips added": lambda **options: UNet(3, 7, skips="sum", **options),
    "U-Net, separable": lambda **options: UNet(3, 7, separable=True, **options),
    "DeepLab, 8": lambda **options: DeepLab(3, 7, 8, **options),
    "DeepLab, 16": lambda **options: DeepLab(3, 7, 16, **options),
    "DeepLab, 32, bare": lambda **options: DeepLab(3, 7, 32, aspp=False, image_pooling=False, decoder=False, **options),
    "DeepLab, separable": lambda **options: DeepLab(3, 7, 8, separable=True, **options),
}


def meta(make, *args, **options):
    with torch.device("meta"):
        return make(*args, **options)


def count(model):
    return sum(parameter.numel() for parameter in model.parameters())


def stirred(model):
    """The model with batch norms that are no longer the identity, in eval mode."""
    torch.manual_seed(1)
    for name, tensor in model.state_dict().items():
        if "running_var" in name:
            tensor.uniform_(0.5, 2)
        elif "running_mean" in name or name.endswith("bias"):
            tensor.normal_(0, 0.3)
    return model.eval()


@pytest.mark.parametrize(("stride", "parameters"), [(32, 134_346_581), (16, 134_357_354), (8, 134_362_751)])
def test_paper_sized_fcn(stride, parameters):
    net = meta(FCN, 3, 21, stride, backbone="vgg16", auxiliary=False)
    assert count(net) == parameters
    assert net.eval()(torch.empty(1, 3, 500, 353, device="meta")).shape == (1, 21, 500, 353)


def test_paper_sized_unet():
    net = meta(UNet, 1, 2, 64, 4, padded=False, norm=False, auxiliary=False)
    assert count(net) == 31_030_658
    assert net(torch.empty(1, 1, 572, 572, device="meta")).shape[-2:] == (388, 388)
    rows = {row.output_shape[-1] for row in trace(net, (1, 572, 572))}
    assert {570, 568, 284, 280, 140, 136, 68, 64, 32, 28, 56, 52, 104, 100, 200, 196, 392, 388} <= rows
    assert trace(net, (1, 572, 572)).total.macs == pytest.approx(150.43e9, rel=1e-4)


@pytest.mark.parametrize("output_stride", [8, 16])
def test_paper_sized_deeplab(output_stride):
    net = meta(DeepLab, 3, 21, output_stride, backbone="resnet101", auxiliary=False)
    assert count(net) == 59_344_309
    row = next(row for row in reversed(trace(net, (3, 512, 512))) if row.name.startswith("stages.3"))
    assert row.output_shape == (2048, 512 // output_stride, 512 // output_stride)
    with pytest.raises(ValueError, match="in_channels must be 3 with backbone='resnet101', got 1"):
        DeepLab(1, 2, backbone="resnet101")


@pytest.mark.parametrize("name", SMALL)
def test_shapes_auxiliary_head_and_trace(name):
    torch.manual_seed(0)
    net = SMALL[name]()
    images = torch.rand(2, 3, 64, 96)
    output = net(images)
    assert set(output) == {"out", "aux"} and output["out"].shape == output["aux"].shape == (2, 7, 64, 96)
    assert net.eval()(images).shape == (2, 7, 64, 96)
    assert SMALL[name](auxiliary=False)(images).shape == (2, 7, 64, 96)
    sum(map(torch.sum, output.values())).backward()
    assert all(parameter.grad is not None for parameter in net.parameters())
    table = trace(net, (3, 64, 96))
    assert table.total.parameters == count(net) and table.total.macs > 0
    assert table[-1].output_shape[-2:] == (64, 96) and "unknown" not in str(table)


@pytest.mark.parametrize("name", [name for name in SMALL if "U-Net" not in name])
def test_any_size(name):
    net = SMALL[name]().eval()
    for size in [(1, 1), (33, 47), (64, 64), (95, 97)]:
        assert net(torch.rand(1, 3, *size)).shape == (1, 7, *size)


def test_fcn_is_the_sum_of_its_scores():
    """FCN-8s by hand; scores of the skips start at zero, so that they begin with nothing."""
    net, images = FCN(3, 5, 8).eval(), torch.rand(1, 3, 64, 64)
    assert all((layer.weight == 0).all() and (layer.bias == 0).all() for layer in net.skip_scores)
    stirred(net)
    x, maps = images, []
    for stage in net.stages:
        x = stage(x)
        maps.append(x)
    pool3, pool4, pool5 = maps[2:]
    scores = net.score(pool5)
    scores = F.interpolate(scores, scale_factor=2, mode="bilinear") + net.skip_scores[0](pool4)
    scores = F.interpolate(scores, scale_factor=2, mode="bilinear") + net.skip_scores[1](pool3)
    assert net(images).equal(F.interpolate(scores, scale_factor=8, mode="bilinear"))


def test_fcn_on_odd_sizes_is_aligned():
    """Away from the border, the result is that of the larger picture."""
    net, images = stirred(FCN(3, 5, 8)), torch.rand(1, 3, 256, 256)
    whole, part = net(images), net(images[..., :250, :251])
    assert torch.allclose(whole[..., :64, :64], part[..., :64, :64], atol=1e-5)


def test_learned_upsampling_starts_as_bilinear():
    torch.manual_seed(0)
    net, images = FCN(3, 5, 8, learned_upsampling=True).eval(), torch.rand(1, 3, 128, 128)
    plain = FCN(3, 5, 8).eval()
    plain.load_state_dict(net.state_dict(), strict=False)
    assert torch.allclose(net(images)[..., 32:-32, 32:-32], plain(images)[..., 32:-32, 32:-32], atol=1e-5)
    assert count(net) - count(plain) == 5 * (4 * 4 + 4 * 4 + 16 * 16)


@pytest.mark.parametrize("depth", range(1, 6))
def test_unpadded_sizes(depth):
    net = meta(UNet, 1, 2, 1, depth, padded=False)
    valid = []
    for size in range(1, 450):
        picture = torch.empty(2, 1, size, size, device="meta")
        try:
            output = net(picture)
        except ValueError as error:
            smallest = 12 * 2**depth - 8 + min(4, 2**depth)
            assert f"must be {smallest}, {smallest + 2**depth}, …" in str(error) and f"{size}×{size}" in str(error)
        else:
            valid.append(size)
            assert output["out"].shape[-1] == output["aux"].shape[-1] == size - (12 * 2**depth - 8)
    assert valid == [s for s in range(450) if s > 12 * 2**depth - 8 and (s - 4 * (2**depth - 1)) % 2**depth == 0]


def test_unpadded_is_seamless():
    """Tiles of a large picture give exactly what the whole picture gives (Ronneberger et al. 2015, Fig. 2)."""
    net = stirred(UNet(1, 2, 4, 2, padded=False)).double()
    picture = torch.rand(1, 1, 100, 100, dtype=torch.float64)
    whole, tile = net(picture), net(picture[..., 16:76, 20:80])
    assert torch.allclose(whole[..., 16 : 16 + tile.shape[-2], 20 : 20 + tile.shape[-1]], tile, atol=1e-10)


def test_odd_sizes():
    net, pictures = stirred(UNet(3, 7)), torch.rand(1, 3, 64, 80)
    expected = net(pictures)
    for remedy in UNet.ODD_SIZES:
        net.odd_sizes = remedy
        assert torch.allclose(net(pictures), expected, atol=1e-5)  # nothing to mend: all the same
    for size in [(63, 79), (65, 81), (8, 15)]:
        picture = torch.rand(2, 3, *size)
        for remedy in UNet.ODD_SIZES[1:4]:
            net.odd_sizes = remedy
            assert net.eval()(picture).shape == (2, 7, *size) and "unknown" not in str(trace(net, (3, *size)))
            assert net.train()(picture)["aux"].shape == (2, 7, *size)
        net.odd_sizes = "crop"
        output = net.train()(picture)
        assert output["out"].shape == output["aux"].shape == (2, 7, *(side // 8 * 8 for side in size))
        net.odd_sizes = "refuse"
        with pytest.raises(ValueError, match=rf"must be multiples of 8 \(2\*\*depth\), got {size[0]}×{size[1]}"):
            net(picture)
    for remedy in UNet.ODD_SIZES[2:]:
        net.odd_sizes = remedy
        with pytest.raises(ValueError, match=r"height and width must be ≥ 8 \(2\*\*depth\), got 7×64"):
            net(torch.rand(1, 3, 7, 64))


def test_removed_strides_keep_the_features():
    """The same weights at output stride 32, 16 and 8 give the same features where all have a unit."""
    deep, images = DeepLab(3, 7, 32), torch.rand(1, 3, 97, 128)
    stirred(deep)
    reference = deep.stages(images)
    for output_stride, step in [(16, 2), (8, 4), (4, 8)]:
        net = DeepLab(3, 7, output_stride)
        net.load_state_dict(deep.state_dict())
        features = net.eval().stages(images)
        assert torch.allclose(features[..., ::step, ::step], reference, atol=1e-4)
        assert count(net) == count(deep)


def test_parts_of_deeplab():
    whole = count(DeepLab(3, 7))
    parts = {"aspp": 3 * (9 * 64 * 32 + 64) + 3 * 32 * 32, "image_pooling": 64 * 32 + 64 + 32 * 32}
    for name, parameters in parts.items():
        assert whole - count(DeepLab(3, 7, **{name: False})) == parameters
    assert count(DeepLab(3, 7, decoder=False)) < whole and count(DeepLab(3, 7, separable=True)) < whole / 3
    dilations = [branch[0].dilation[0] for branch in DeepLab(3, 7, 8).branches[1:4]]
    assert dilations == [2, 4, 6] and DeepLab(3, 7, 16).branches[3][0].dilation == (3, 3)
    assert DeepLab(3, 7, rates=(1, 3, 5)).branches[2][0].dilation == (3, 3)
    assert receptive_field(DeepLab(3, 7), (3, 96, 96)).whole == (True, True)  # by image pooling
    assert receptive_field(DeepLab(3, 7, image_pooling=False), (3, 512, 512)).whole == (False, False)


def test_separable_convolution_is_one_convolution():
    """Without what stands between them, both stages are one ordinary convolution of rank 1 for each input channel."""
    depthwise, _, pointwise, _ = separable_convolution(4, 6, norm=False)
    depthwise.bias.data.zero_()
    weight = pointwise.weight * depthwise.weight[:, 0][None]
    images = torch.rand(1, 4, 9, 9)
    assert torch.allclose(pointwise(depthwise(images)), F.conv2d(images, weight, pointwise.bias, padding=1), atol=1e-6)
    assert (
        count(convolution(64, 128, norm=False)) == 73_856 and count(separable_convolution(64, 128, norm=False)) == 8_960
    )


def test_dilated_stack():
    net = dilated_stack(3, 3, [1, 1, 2, 4, 8, 16, 1])
    assert receptive_field(net, (3, 64, 64)).size == (67, 67) and net(torch.rand(2, 3, 64, 64)).shape == (2, 3, 64, 64)
    assert count(dilated_stack(3, 3, [1] * 7)) == count(net)


def test_order_of_construction():
    """The stored results depend on it: with another order, the same seed would give another U-Net."""
    names = [name for name, _ in UNet(3, 2).named_children()]
    assert names == ["down", "bottom", "up", "merge", "head", "auxiliary_head"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FCN(0, 2), "in_channels must be a whole number ≥ 1, got 0"),
        (lambda: FCN(3, 2.5), "classes must be a whole number ≥ 1, got 2.5"),
        (lambda: FCN(3, 2, 4), "prediction_stride must be one of 8, 16, 32, got 4"),
        (lambda: FCN(3, 2, backbone="vgg"), "backbone must be one of 'small', 'vgg16', got 'vgg'"),
        (lambda: UNet(3, 2, width=0), "width must be a whole number ≥ 1, got 0"),
        (lambda: UNet(3, 2, depth=0), "depth must be a whole number ≥ 1, got 0"),
        (lambda: UNet(3, 2, odd_sizes="stretch"), "odd_sizes must be one of 'refuse', 'pad'"),
        (lambda: UNet(3, 2, padded=False, odd_sizes="pad"), "odd_sizes must be one of 'refuse', got 'pad'"),
        (lambda: DeepLab(3, 2, 64), "output_stride must be one of 4, 8, 16, 32, got 64"),
        (lambda: DeepLab(3, 2, rates=(1, 0)), "rate must be a whole number ≥ 1, got 0"),
        (lambda: DeepLab(3, 2, backbone="xception"), "backbone must be one of 'small', 'resnet101', got 'xception'"),
        (lambda: dilated_stack(3, 2, [1, 0]), "dilation must be a whole number ≥ 1, got 0"),
        (lambda: FCN(3, 2)(torch.rand(1, 4, 64, 64)), r"images must be (N, 3, H, W), got (1, 4, 64, 64)"),
        (lambda: DeepLab(3, 2)(torch.rand(3, 64, 64)), r"images must be (N, 3, H, W), got (3, 64, 64)"),
        (lambda: DeepLab(3, 2)(torch.rand(1, 3, 64, 64)), "every batch, the last too, needs ≥ 2 of them"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(ValueError) as refused:
        make()
    assert message in str(refused.value) and "\n" not in str(refused.value)


def test_the_last_strides_of_the_paper_sized_deeplab_become_dilations():
    """Output stride 16 keeps the stride of the third stage and dilates the fourth (Chen et al. 2017, §3.1)."""
    for output_stride, dilations in {32: (1, 1), 16: (1, 2), 8: (2, 4)}.items():
        with torch.device("meta"):
            net = DeepLab(3, 21, output_stride=output_stride, backbone="resnet101", auxiliary=False)
        assert tuple(stage[-1].conv2.dilation[0] for stage in net.stages[2:]) == dilations
