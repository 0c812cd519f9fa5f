#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Write tests/golden/data/*.h5: states of two small trainings, computed by PyTorch.

usage: make_vgg9_golden.py [OUT_DIR]        (needs python3-torch and python3-h5py)

Shares no code with lutra: the quantizers are torch.round and torch.clamp with straight-through
gradients written here; the gradients of scales and learned steps are then autograd's. A learned
step is threshold / 16 (signed) or / 31 (unsigned). For the first MEASURED passes the threshold is
the average over the passes so far of the MEASURED_PERCENT percentile of |x|, and has gradient 0.
Networks:

  vgg9   the ternary VGG9 of experiments/networks/vgg9.ini, cross entropy on a TensorNorm
  mixed  everything VGG9 does not have: strides, padding, biases, weight scales from the maximum,
         seven levels with step 1/3, a pool before the norm, activations without a norm, an
         unsigned activation, no TensorNorm, squared hinge
  signed, unsigned   a small VGG11: normalised pixels, weight scales from the maximum, ReLU, learned
         steps everywhere (also of the input), pools 2/1, 2/2, 1/1 and over all that is left, each
         with its quantizer, float biases; 5-bit codes -16..15 or 0..31
  float  the same without any quantizer, with a batch_norm: as float training runs it

Everything runs in double and in single precision. Values of the double run are stored; the
distance between the two runs says how far a correct single-precision program may be off, and is
stored beside them. The script refuses a seed for which a value comes so close to a quantizer's
threshold that single precision could fall on the other side (ties that are exact in both, as in
average pools of codes, are no danger).

Ten Adam steps follow on the same batch. For vgg9 Adam's epsilon is 0.01: with 1e-8 the first steps
have size learning_rate whatever the size of a gradient, so the sign of a rounding error decides
where a million weights go, and two correct programs part at once. mixed has the usual 1e-8.

Initial numbers come from a hash that the test computes again, so they need no room in the file:
uniform(array, i) = ((mix(i + 0x9E3779B9 * (array + 1)) >> 16) + 0.5) / 2^15 - 1, mix = the 32-bit
finalizer of MurmurHash3, array = number of the array in the order weights, bias, gamma, beta of each
layer. So no weight begins on a threshold.
"""
import os
import sys

import h5py
import numpy as np
import torch
import torch.nn.functional as F

MARGIN = 2e-6  # of a quantizer's step; single precision stays below
STRIDE = 37    # stored slices of long arrays: every 37th element
STEPS = 10
MEASURED = 2
MEASURED_PERCENT = 99.9


def mix(x):
    x = x.astype(np.uint32)
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x85EBCA6B)
    x ^= x >> np.uint32(13)
    x *= np.uint32(0xC2B2AE35)
    x ^= x >> np.uint32(16)
    return x


def uniform(array, count):
    index = (np.arange(count, dtype=np.uint64) + 0x9E3779B9 * (array + 1)) & 0xFFFFFFFF
    return ((mix(index) >> np.uint32(16)).astype(np.float64) + 0.5) / 2.0**15 - 1.0


class RoundClamp(torch.autograd.Function):
    """Codes of x; the gradient passes where the code was in range before the clamp."""

    @staticmethod
    def forward(ctx, x, low, high):
        code = torch.round(x)
        ctx.save_for_backward((code >= low) & (code <= high))
        return torch.clamp(code, low, high)

    @staticmethod
    def backward(ctx, gradient):
        (inside,) = ctx.saved_tensors
        return gradient * inside.to(gradient.dtype), None, None


class RoundPass(torch.autograd.Function):
    """Codes of w; every gradient passes."""

    @staticmethod
    def forward(ctx, w, low, high):
        return torch.clamp(torch.round(w), low, high)

    @staticmethod
    def backward(ctx, gradient):
        return gradient, None, None


class Net:
    def __init__(self, layers, dtype):
        self.layers = layers
        self.dtype = dtype
        self.parameters = []  # (name, tensor, clamp)
        self.buffers = {}
        self.outputs = {}
        self.closest = 1.0
        self.passes = 0
        array = 0
        for name, kind, s in layers:
            made = {}
            if kind in ("conv", "linear"):
                shape = s["shape"]
                scale = 1.0 if s["scale"] == "fixed" else (6.0 / np.prod(shape[1:])) ** 0.5
                made["weights"] = (uniform(array, int(np.prod(shape))) * np.float32(scale)).reshape(shape)
                if s.get("bias"):
                    made["bias"] = uniform(array + 1, shape[0]) * 0.5
            if kind == "batch_norm":
                made["gamma"] = uniform(array + 2, s["channels"]) + 0.5
                made["beta"] = uniform(array + 3, s["channels"]) * 0.25
                self.buffers[name] = [np.zeros(s["channels"]), np.ones(s["channels"])]
            if kind == "tensor_norm":
                made["gamma"] = np.array([1.5])
                made["beta"] = np.array([0.125])
                self.buffers[name] = [np.zeros(1), np.ones(1)]
            if s.get("step") == "learned":
                made["threshold"] = np.zeros(1)
            for key, value in made.items():
                value = value.astype(np.float32)  # what the test starts from
                tensor = torch.tensor(value, dtype=dtype, requires_grad=True)
                self.parameters.append((f"{name}/{key}", tensor, key == "weights" and s["scale"] == "fixed"))
            array += 4
        self.by_name = {name: tensor for name, tensor, _ in self.parameters}

    def weights(self, name, s):
        w = self.by_name[f"{name}/weights"]
        if s["scale"] == "none":
            return w
        scale = w.abs().max() / s["codes"][1] if s["scale"] == "max" else torch.ones((), dtype=self.dtype)
        if s["scale"] == "max":
            self.note_margin(w / scale, False)
        return RoundPass.apply(w / scale, *s["codes"]) * scale

    def note_margin(self, x, exact):
        if exact:
            return
        distance = (x.detach() - torch.floor(x.detach()) - 0.5).abs().min().item()
        self.closest = min(self.closest, distance)

    def step(self, name, s, x):
        """The step of a quantizer that reads x."""
        if s["step"] != "learned":
            return s["step"]
        t = self.by_name[f"{name}/threshold"]
        low, high = s["codes"]
        divisor = -low if low < 0 else high
        if self.passes <= MEASURED:
            k = int(np.floor(MEASURED_PERCENT / 100.0 * x.numel() + 0.5))
            here = x.detach().abs().flatten().kthvalue(k).values
            with torch.no_grad():
                t += (here - t) / self.passes
            t = t.detach() + 0.0 * t
        return t / divisor

    def norm(self, name, x, axes, s, training):
        mean = x.mean(axes, keepdim=True)
        variance = x.var(axes, unbiased=False, keepdim=True)
        count = x.numel() / mean.numel()
        mean_of, variance_of = self.buffers[name]
        self.buffers[name] = [0.9 * mean_of + 0.1 * mean.detach().double().numpy().ravel(),
                              0.9 * variance_of + 0.1 * variance.detach().double().numpy().ravel() * count / (count - 1)]
        gamma = self.by_name[f"{name}/gamma"]
        beta = self.by_name[f"{name}/beta"]
        if axes != (0, 1):
            gamma = gamma.view(mean.shape)
            beta = beta.view(mean.shape)
        return (x - mean) / torch.sqrt(variance + 1e-4) * gamma + beta

    def forward(self, pixels):
        self.outputs = {}
        self.passes += 1
        x = None
        step = 1.0
        fresh = False  # sums of codes whose scale is a power of two: ties are exact
        for name, kind, s in self.layers:
            if kind == "input":
                low, high = s["range"]
                x = torch.tensor(low + (high - low) * pixels.astype(np.float64) / 255.0).to(self.dtype)
                if "mean" in s:
                    mean, deviation = (torch.tensor(v, dtype=self.dtype).view(-1, 1, 1) for v in (s["mean"], s["deviation"]))
                    x = (x - mean) / deviation
                if s["codes"] is None:
                    continue
                step = self.step(name, s, x)
                self.note_margin(x / step, s["step"] != "learned")
                codes = RoundClamp.apply(x / step, *s["codes"])
                self.outputs[name] = codes.detach()
                x = codes * step
                fresh = True
            elif kind == "conv":
                x = F.conv2d(x, self.weights(name, s), self.by_name.get(f"{name}/bias"), s.get("stride", 1), s.get("padding", 0))
                fresh = False
            elif kind == "linear":
                x = F.linear(x.flatten(1), self.weights(name, s), self.by_name.get(f"{name}/bias"))
                fresh = False
            elif kind == "average_pool":
                x = F.avg_pool2d(x, s["kernel"], s.get("stride", s["kernel"]))
            elif kind == "batch_norm":
                x = self.norm(name, x, (0, 2, 3) if x.dim() == 4 else (0,), s, True)
                fresh = False
            elif kind == "activation":
                if s.get("relu"):
                    x = torch.relu(x)
                if s["codes"] is None:
                    continue
                step = self.step(name, s, x)
                self.note_margin(x / step, fresh and s["step"] != "learned")
                codes = RoundClamp.apply(x / step, *s["codes"])
                self.outputs[name] = codes.detach()
                x = codes * step
                fresh = True
            elif kind == "tensor_norm":
                x = self.norm(name, x, (0, 1), s, True)
        return x


def cross_entropy(logits, labels):
    return F.cross_entropy(logits, labels)


def squared_hinge(logits, labels):
    target = 2.0 * F.one_hot(labels, logits.shape[1]).to(logits.dtype) - 1.0
    return torch.clamp(1.0 - target * logits, min=0.0).pow(2).mean()


def run(layers, pixels, labels, loss_of, rate, epsilon, dtype):
    net = Net(layers, dtype)
    tensors = [t for _, t, _ in net.parameters]
    adam = torch.optim.Adam(tensors, lr=rate, eps=epsilon)
    labels = torch.tensor(labels.astype(np.int64))
    record = {"losses": []}
    for step in range(STEPS + 1):
        logits = net.forward(pixels)
        loss = loss_of(logits, labels)
        record["losses"].append(loss.item())
        if step == 0:
            adam.zero_grad()
            loss.backward()
            record["logits"] = logits.detach().double().numpy()
            record["codes"] = {k: v.numpy().astype(np.int16) for k, v in net.outputs.items()}
            record["gradients"] = {n: t.grad.double().numpy().copy() for n, t, _ in net.parameters}
            record["buffers"] = {k: [b.copy() for b in v] for k, v in net.buffers.items()}
        else:
            adam.zero_grad()
            loss.backward()
            if step == MEASURED:  # the first pass in which learned steps have a gradient
                record["later"] = {n: t.grad.double().numpy().copy() for n, t, _ in net.parameters}
        if step < STEPS:
            adam.step()
            with torch.no_grad():
                for _, tensor, clamp in net.parameters:
                    if clamp:
                        tensor.clamp_(-1.0, 1.0)
    record["closest"] = net.closest  # over all steps
    record["last"] = {n: t.detach().double().numpy().copy() for n, t, _ in net.parameters}
    return record


def thin(array):
    flat = np.ascontiguousarray(array).ravel()
    return flat if flat.size <= 4096 else flat[::STRIDE]


def write(path, layers, pixels, labels, loss_of, rate, epsilon, margin=MARGIN, later=False):
    double = run(layers, pixels, labels, loss_of, rate, epsilon, torch.float64)
    single = run(layers, pixels, labels, loss_of, rate, epsilon, torch.float32)
    if double["closest"] < margin:  # in any of the eleven passes
        raise SystemExit(f"{path}: a value stands {double['closest']:.1e} steps from a threshold; change the pixels")
    with h5py.File(path + ".partial", "w", track_order=False) as f:
        def put(name, data):
            packed = {"compression": "gzip", "compression_opts": 9} if np.size(data) > 512 else {}
            f.create_dataset(name, data=data, track_times=False, **packed)

        put("pixels", pixels)
        put("labels", labels.astype(np.uint16))
        put("logits", double["logits"])
        put("losses", np.array(double["losses"]))
        put("losses_single", np.array(single["losses"]))
        differing = 0
        for name, codes in double["codes"].items():
            put(f"codes/{name}", codes.astype(np.int16))
            differing += int((codes != single["codes"][name]).sum())
        print(f"{path}: closest to a threshold {double['closest']:.1e} steps; "
              f"codes that differ between single and double: {differing}")
        def put_gradients(prefix, double_ones, single_ones):
            for name, gradient in double_ones.items():
                put(f"{prefix}gradients/{name}", thin(gradient))
                rows = gradient.reshape(gradient.shape[0], -1)
                put(f"{prefix}gradient_rows/{name}", rows.sum(1))
                # distance of the two runs: root mean square of the difference and of the gradient
                error = single_ones[name] - gradient
                put(f"{prefix}gradient_scale/{name}", np.array([np.sqrt((gradient**2).mean()), np.sqrt((error**2).mean()), np.abs(error).max()]))

        put_gradients("", double["gradients"], single["gradients"])
        if later:
            put_gradients("later/", double["later"], single["later"])
        for name, value in double["last"].items():
            put(f"last/{name}", thin(value))
            error = thin(single["last"][name] - value)
            put(f"last_off/{name}", np.array([(np.abs(error) > 1e-3).mean(), np.abs(error).max()]))
        for name, (mean, variance) in double["buffers"].items():
            put(f"running_mean/{name}", mean)
            put(f"running_variance/{name}", variance)
    os.replace(path + ".partial", path)
    print("  losses double", " ".join(f"{x:.6f}" for x in double["losses"]))
    print("  losses single", " ".join(f"{x:.6f}" for x in single["losses"]))
    print("  largest relative gradient error of single:",
          max(np.sqrt(((single["gradients"][n] - g) ** 2).mean() / ((g ** 2).mean() + 1e-30)) for n, g in double["gradients"].items()))
    print("  largest share of numbers more than 0.001 apart after ten steps:",
          max(float((np.abs(single["last"][n] - v) > 1e-3).mean()) for n, v in double["last"].items()))


def vgg9():
    layers = [("input", "input", {"range": (-1.0, 1.0), "codes": (-128, 127), "step": 1 / 128})]
    ternary = {"codes": (-1, 1), "scale": "fixed"}
    act = {"codes": (-1, 1), "step": 1.0}
    channels = 3
    number = 0
    for number, out in enumerate((64, 64, 128, 128, 256, 256), 1):
        layers.append((f"conv{number}", "conv", {"shape": (out, channels, 3, 3), **ternary}))
        layers.append((f"norm{number}", "batch_norm", {"channels": out}))
        layers.append((f"act{number}", "activation", act))
        if number in (2, 4):
            layers.append((f"pool{number // 2}", "average_pool", {"kernel": 2}))
            layers.append((f"pool{number // 2}_act", "activation", act))
        channels = out
    for number, (inputs, out) in enumerate(((256, 512), (512, 512)), 1):
        layers.append((f"fc{number}", "linear", {"shape": (out, inputs), **ternary}))
        layers.append((f"fc{number}_norm", "batch_norm", {"channels": out}))
        layers.append((f"fc{number}_act", "activation", act))
    layers.append(("fc3", "linear", {"shape": (10, 512), **ternary}))
    layers.append(("logits", "tensor_norm", {}))
    return layers


def mixed():
    return [
        ("input", "input", {"range": (0.0, 1.0), "codes": (0, 15), "step": 1 / 15}),
        ("conv1", "conv", {"shape": (8, 2, 4, 4), "codes": (-31, 31), "scale": "max", "stride": 2}),
        ("norm1", "batch_norm", {"channels": 8}),
        ("act1", "activation", {"codes": (-3, 3), "step": 1 / 3}),
        ("conv2", "conv", {"shape": (12, 8, 3, 3), "codes": (-1, 1), "scale": "fixed", "padding": 1}),
        ("pool2", "average_pool", {"kernel": 2, "stride": 1}),
        ("norm2", "batch_norm", {"channels": 12}),
        ("act2", "activation", {"codes": (0, 7), "step": 0.25}),
        ("conv3", "conv", {"shape": (9, 12, 3, 3), "codes": (-3, 3), "scale": "max", "bias": True}),
        ("act3", "activation", {"codes": (-7, 7), "step": 0.5}),
        ("fc4", "linear", {"shape": (5, 36), "codes": (-15, 15), "scale": "max", "bias": True}),
    ]


def small_vgg11(codes):
    layers = [("input", "input", {"range": (0.0, 1.0), "mean": (0.4914, 0.4822, 0.4465), "deviation": (0.247, 0.243, 0.261),
                                  "codes": (-16, 15), "step": "learned"})]
    channels = 3
    pools = {1: (2, 1), 2: (2, 2), 3: (1, 1), 4: (3, 1)}
    for number, out in enumerate((4, 6, 8, 8), 1):
        layers.append((f"conv{number}", "conv", {"shape": (out, channels, 3, 3), "codes": (-15, 15), "scale": "max", "bias": True, "padding": 1}))
        layers.append((f"relu{number}", "activation", {"codes": codes, "step": "learned", "relu": True}))
        layers.append((f"pool{number}", "average_pool", {"kernel": pools[number][0], "stride": pools[number][1]}))
        layers.append((f"pool{number}_act", "activation", {"codes": codes, "step": "learned"}))
        channels = out
    layers.append(("fc", "linear", {"shape": (5, 8), "codes": (-15, 15), "scale": "max", "bias": True}))
    return layers


def small_float():
    """small_vgg11 without quantizers and with a batch_norm after its third convolution."""
    layers = []
    for name, kind, s in small_vgg11((-16, 15)):
        s = dict(s)
        s.pop("step", None)
        if kind in ("input", "activation"):
            s["codes"] = None
        if kind in ("conv", "linear"):
            s["scale"] = "none"
        if kind == "activation" and not s.get("relu"):
            continue
        if name == "conv3":
            s.pop("bias")
        layers.append((name, kind, s))
        if name == "conv3":
            layers.append(("norm3", "batch_norm", {"channels": 8}))
    return layers


def main(out_dir):
    os.makedirs(out_dir, exist_ok=True)
    torch.set_num_threads(1)
    random = np.random.default_rng(105)
    coarse = random.integers(0, 256, (8, 3, 8, 8))
    pixels = np.clip(np.kron(coarse, np.ones((1, 1, 4, 4))) * 0.7 + random.integers(0, 77, (8, 3, 32, 32)), 0, 255)
    write(os.path.join(out_dir, "vgg9.h5"), vgg9(), pixels.astype(np.uint8), np.arange(8) * 7 % 10, cross_entropy, 0.02, 1e-2)
    pixels = np.random.default_rng(5).integers(0, 256, (7, 2, 12, 12)).astype(np.uint8)
    write(os.path.join(out_dir, "mixed.h5"), mixed(), pixels, np.arange(7) % 5, squared_hinge, 0.01, 1e-8)
    for name, codes, seed in (("signed", (-16, 15), 1), ("unsigned", (0, 31), 18)):
        pixels = np.random.default_rng(seed).integers(0, 256, (4, 3, 8, 8)).astype(np.uint8)
        write(os.path.join(out_dir, f"{name}.h5"), small_vgg11(codes), pixels, np.arange(4) % 5, cross_entropy, 0.01, 1e-3, 1e-5, True)
    pixels = np.random.default_rng(1).integers(0, 256, (4, 3, 8, 8)).astype(np.uint8)
    write(os.path.join(out_dir, "float.h5"), small_float(), pixels, np.arange(4) % 5, cross_entropy, 0.01, 1e-3, 0.0)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "data"))
