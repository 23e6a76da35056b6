"""Training steps in PyTorch, one for every line of standard input, so that another program can take turns with it:

    python train_steps.py MODE STATE.safetensors --threads 2

STATE holds the initial values under the network's names and the batch under `batch.`. Prints {"ready": …} and then {"ms": …, "loss": …} a line.
"""

import argparse
import json
import struct
import sys
import time

import torch
from torch.nn import functional as F

from networks import Basic, Bottleneck, Classifier, DeepLabV2, EfficientNetLite0, Lorm, ResNet

CLASSES = 21


def read_safetensors(file):
    with open(file, "rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        header = json.loads(stream.read(length))
        data = bytearray(stream.read())
    header.pop("__metadata__", None)
    arrays = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        arrays[name] = torch.frombuffer(data, dtype=torch.float32, count=(end - begin) // 4, offset=begin).reshape(entry["shape"]).clone()
    return arrays


def segmentation(backbone):
    net = DeepLabV2(backbone, CLASSES)
    return net, lambda batch: F.cross_entropy(net(batch["image"]), batch["labels"].long(), ignore_index=255)


def classification(output_stride):
    net = Classifier(EfficientNetLite0(output_stride), CLASSES - 1)
    return net, lambda batch: F.binary_cross_entropy_with_logits(net(batch["image"]), batch["labels"])


def lorm():
    net = Lorm(512)

    def loss(batch):
        batch["features"].requires_grad_(True).grad = None
        return net(batch["features"], batch["mask"])

    return net, loss


MODES = {
    "resnet50-deeplabv2": lambda: segmentation(ResNet(Bottleneck, (3, 4, 6, 3), 64)),
    "small-deeplabv2": lambda: segmentation(ResNet(Basic, (2, 2, 2, 2), 32)),
    "efficientnet-lite0-16": lambda: classification(16),
    "efficientnet-lite0-32": lambda: classification(32),
    "lorm": lorm,
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=MODES)
    parser.add_argument("state")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--channels-last", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    net, loss_of = MODES[options.mode]()
    state = read_safetensors(options.state)
    batch = {name.removeprefix("batch."): value for name, value in state.items() if name.startswith("batch.")}
    weights = {name: value for name, value in state.items() if not name.startswith("batch.")}
    counters = {name: value for name, value in net.state_dict().items() if name.endswith("num_batches_tracked")}
    net.load_state_dict({**counters, **weights}, strict=True)
    net.train()
    if options.channels_last:
        net.to(memory_format=torch.channels_last)
        batch = {name: value.contiguous(memory_format=torch.channels_last) if value.dim() == 4 else value for name, value in batch.items()}
    # LoRM is timed as a loss: forward and backward without an optimiser.
    optimizer = None if options.mode == "lorm" else torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9, weight_decay=5e-4)

    def step():
        net.zero_grad()
        loss = loss_of(batch)
        loss.backward()
        if optimizer is not None:
            optimizer.step()
        return loss.item()

    print(json.dumps({"ready": options.mode, "torch": torch.__version__, "threads": torch.get_num_threads()}), flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        loss = step()
        print(json.dumps({"ms": 1000 * (time.perf_counter() - start), "loss": loss}), flush=True)


main()
