#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Time PyTorch on the training step of the ternary VGG9: the yardstick for `lutra train`.

usage: pytorch_vgg9_speed.py [--threads 2] [--batch 100] [--steps 20] [--channels-last]

The same network, quantizers, batch and optimizer as experiments/networks/vgg9.ini, on random
images, without reading or augmenting data. Prints the median time of a step and what an epoch of
50,000 images takes at that rate.
"""
import argparse
import statistics
import time

import torch
import torch.nn as nn
import torch.nn.functional as F


class Ternary(torch.autograd.Function):
    """Rounds to -1, 0, +1; the gradient passes where |x| rounds to at most 1."""

    @staticmethod
    def forward(ctx, x):
        code = torch.round(x)
        ctx.save_for_backward(code.abs() <= 1)
        return code.clamp_(-1, 1)

    @staticmethod
    def backward(ctx, gradient):
        (inside,) = ctx.saved_tensors
        return gradient * inside


class TernaryWeight(torch.autograd.Function):
    @staticmethod
    def forward(ctx, w):
        return torch.round(w).clamp_(-1, 1)

    @staticmethod
    def backward(ctx, gradient):
        return gradient


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        widths = [3, 64, 64, 128, 128, 256, 256]
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 3, bias=False) for a, b in zip(widths, widths[1:]))
        self.norms = nn.ModuleList(nn.BatchNorm2d(b, eps=1e-4) for b in widths[1:])
        self.fcs = nn.ModuleList(nn.Linear(a, b, bias=False) for a, b in ((256, 512), (512, 512), (512, 10)))
        self.fc_norms = nn.ModuleList(nn.BatchNorm1d(512, eps=1e-4) for _ in range(2))
        for module in [*self.convs, *self.fcs]:
            nn.init.uniform_(module.weight, -1, 1)

    def forward(self, x):
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms)):
            x = Ternary.apply(norm(F.conv2d(x, TernaryWeight.apply(conv.weight))))
            if i in (1, 3):
                x = Ternary.apply(F.avg_pool2d(x, 2))
        x = x.flatten(1)
        for fc, norm in zip(self.fcs, self.fc_norms):
            x = Ternary.apply(norm(F.linear(x, TernaryWeight.apply(fc.weight))))
        x = F.linear(x, TernaryWeight.apply(self.fcs[2].weight))
        return (x - x.mean()) / torch.sqrt(x.var(unbiased=False) + 1e-4)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--channels-last", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    layout = torch.channels_last if options.channels_last else torch.contiguous_format
    net = Net().to(memory_format=layout)
    adam = torch.optim.Adam(net.parameters(), lr=0.02)
    pixels = torch.randint(-128, 128, (options.batch, 3, 32, 32)).float().div(128).contiguous(memory_format=layout)
    labels = torch.randint(0, 10, (options.batch,))
    seconds = []
    for step in range(options.steps + 3):
        start = time.perf_counter()
        loss = F.cross_entropy(net(pixels), labels)
        adam.zero_grad()
        loss.backward()
        adam.step()
        with torch.no_grad():
            for module in [*net.convs, *net.fcs]:
                module.weight.clamp_(-1, 1)
        if step >= 3:
            seconds.append(time.perf_counter() - start)
    median = statistics.median(seconds)
    print(f"PyTorch {torch.__version__}, {options.threads} threads, batch {options.batch}: median step {median * 1e3:.1f} ms "
          f"(fastest {min(seconds) * 1e3:.1f}), {options.batch / median:.0f} images/s, epoch of 50,000 {50000 / options.batch * median:.1f} s")


if __name__ == "__main__":
    main()
