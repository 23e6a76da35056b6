"""The networks of docs and trainer in plain PyTorch, under the names of the trainer's weight files, so that both start from the same values."""

import torch
from torch import nn
from torch.nn import functional as F

MULTI_GRID = (1, 2, 4)
STRIDES, DILATIONS = (1, 2, 1, 1), (1, 1, 2, 4)


class ConvNorm(nn.Module):
    """Convolution without bias and batch norm, as `conv` and `bn`; ReLU if wanted."""

    def __init__(self, inputs, outputs, size, dilation=1, relu=True):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, padding=size // 2 * dilation, dilation=dilation, bias=False)
        self.bn = nn.BatchNorm2d(outputs)
        self.relu = relu

    def forward(self, x):
        x = self.bn(self.conv(x))
        return F.relu(x, inplace=True) if self.relu else x


def conv3x3(inputs, outputs, stride, dilation):
    return nn.Conv2d(inputs, outputs, 3, stride, padding=dilation, dilation=dilation, bias=False)


def shortcut(inputs, outputs, stride):
    if inputs == outputs and stride == 1:
        return None
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


class Basic(nn.Module):
    expansion = 1

    def __init__(self, inputs, width, stride, dilation):
        super().__init__()
        self.conv1, self.bn1 = conv3x3(inputs, width, stride, dilation), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = conv3x3(width, width, 1, dilation), nn.BatchNorm2d(width)
        self.downsample = shortcut(inputs, width, stride)

    def forward(self, x):
        identity = x if self.downsample is None else self.downsample(x)
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu(self.bn2(self.conv2(x)) + identity, inplace=True)


class Bottleneck(nn.Module):
    expansion = 4

    def __init__(self, inputs, width, stride, dilation):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = conv3x3(width, width, stride, dilation), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, width * 4, 1, bias=False), nn.BatchNorm2d(width * 4)
        self.downsample = shortcut(inputs, width * 4, stride)

    def forward(self, x):
        identity = x if self.downsample is None else self.downsample(x)
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        x = F.relu(self.bn2(self.conv2(x)), inplace=True)
        return F.relu(self.bn3(self.conv3(x)) + identity, inplace=True)


class ResNet(nn.Module):
    """Output stride 8: layer3 has dilation 2, the blocks of layer4 have 4, 8, 16."""

    def __init__(self, block, blocks, base_width):
        super().__init__()
        self.conv1 = nn.Conv2d(3, base_width, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(base_width)
        inputs = base_width
        for stage, count in enumerate(blocks):
            width = base_width * 2**stage
            layers = []
            for index in range(count):
                dilation = DILATIONS[stage] * (MULTI_GRID[index % 3] if stage == 3 else 1)
                layers.append(block(inputs, width, STRIDES[stage] if index == 0 else 1, dilation))
                inputs = width * block.expansion
            self.add_module(f"layer{stage + 1}", nn.Sequential(*layers))
        self.channels = inputs

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x)), inplace=True), 3, 2, padding=1)
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))


class Aspp(nn.Module):
    def __init__(self, inputs, outputs, dilations):
        super().__init__()
        branches = [ConvNorm(inputs, outputs, 1)] + [ConvNorm(inputs, outputs, 3, dilation) for dilation in dilations]
        self.branches = nn.ModuleList(branches)
        self.pool = ConvNorm(inputs, outputs, 1)

    def forward(self, x):
        pooled = self.pool(x.mean((2, 3), keepdim=True)).expand(-1, -1, *x.shape[2:])
        return torch.cat([branch(x) for branch in self.branches] + [pooled], 1)


class DeepLabV2(nn.Module):
    def __init__(self, backbone, classes):
        super().__init__()
        self.backbone = backbone
        self.aspp = Aspp(backbone.channels, classes, (12, 18, 24))
        self.project = ConvNorm(5 * classes, classes, 1, relu=False)

    def forward(self, image):
        logits = self.project(self.aspp(self.backbone(image)))
        return F.interpolate(logits, image.shape[2:], mode="bilinear", align_corners=True)


class SameConv(nn.Conv2d):
    """TensorFlow's SAME padding: symmetric at stride 1, one pixel more at the end at stride 2 and even sizes."""

    def forward(self, x):
        if self.stride[0] == 1:
            return super().forward(x)
        reach = self.dilation[0] * (self.kernel_size[0] - 1) + 1
        total = [max((-(-size // self.stride[0]) - 1) * self.stride[0] + reach - size, 0) for size in x.shape[2:]]
        (height, width) = total
        return super().forward(F.pad(x, (width // 2, width - width // 2, height // 2, height - height // 2)))


def same_conv(inputs, outputs, size, stride=1, dilation=1, groups=1):
    padding = dilation * (size - 1) // 2 if stride == 1 else 0
    return SameConv(inputs, outputs, size, stride, padding, dilation, groups, bias=False)


def lite_norm(channels):
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.1)


class InvertedResidual(nn.Module):
    def __init__(self, inputs, outputs, expand, size, stride, dilation):
        super().__init__()
        width = inputs * expand
        self.expands = expand != 1
        if self.expands:
            self._expand_conv, self._bn0 = same_conv(inputs, width, 1), lite_norm(width)
        self._depthwise_conv, self._bn1 = same_conv(width, width, size, stride, dilation, groups=width), lite_norm(width)
        self._project_conv, self._bn2 = same_conv(width, outputs, 1), lite_norm(outputs)
        self.residual = inputs == outputs and stride == 1

    def forward(self, x):
        y = F.relu6(self._bn0(self._expand_conv(x)), inplace=True) if self.expands else x
        y = F.relu6(self._bn1(self._depthwise_conv(y)), inplace=True)
        y = self._bn2(self._project_conv(y))
        return x + y if self.residual else y


# repeats, size, stride, expansion, outputs
LITE_STAGES = ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320))


class EfficientNetLite0(nn.Module):
    channels = 1280

    def __init__(self, output_stride):
        super().__init__()
        self._conv_stem, self._bn0 = same_conv(3, 32, 3, 2), lite_norm(32)
        blocks, inputs, stride, dilation = [], 32, 2, 1
        for repeats, size, wanted, expand, outputs in LITE_STAGES:
            for repeat in range(repeats):
                step = wanted if repeat == 0 else 1
                taken = step if stride * step <= output_stride else 1
                blocks.append(InvertedResidual(inputs, outputs, expand, size, taken, dilation))
                stride, dilation, inputs = stride * taken, dilation * step // taken, outputs
        self._blocks = nn.ModuleList(blocks)
        self._conv_head, self._bn1 = same_conv(320, 1280, 1), lite_norm(1280)

    def forward(self, x):
        x = F.relu6(self._bn0(self._conv_stem(x)), inplace=True)
        for block in self._blocks:
            x = block(x)
        return F.relu6(self._bn1(self._conv_head(x)), inplace=True)


class Classifier(nn.Module):
    def __init__(self, backbone, outputs):
        super().__init__()
        self.backbone = backbone
        self.classifier = nn.Linear(backbone.channels, outputs, bias=False)

    def forward(self, image):
        return self.classifier(self.backbone(image).mean((2, 3)))


class Lorm(nn.Module):
    """Localization rectification: the loss between the features and their masked prototype."""

    def __init__(self, channels):
        super().__init__()
        self.query, self.key = nn.Conv2d(channels, channels, 1), nn.Conv2d(channels, channels, 1)
        self.delta = nn.Parameter(torch.ones(1))

    def forward(self, features, mask):
        rows = features.flatten(2).transpose(1, 2)  # B, P, C
        query = F.normalize(self.query(features).flatten(2).transpose(1, 2), dim=2)
        key = F.normalize(self.key(features).flatten(2).transpose(1, 2), dim=2)
        similarity = torch.softmax(query @ key.transpose(1, 2), dim=2) * mask.flatten(1)[:, :, None]
        squares = (rows - self.delta * (similarity @ rows)).square()
        return squares.sum() / (squares != 0).sum()
