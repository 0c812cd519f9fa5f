#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Convert a PyTorch state dict (.pth, .pt) to a safetensors or HDF5 file for `lutra import`.

usage: pth_to_safetensors.py IN.pth OUT.safetensors|OUT.h5        (needs python3-torch, and
                                                                   python3-h5py for HDF5)

IN.pth is a state dict, a dictionary with one under "state_dict", or a whole module. Arrays keep
their names, without a leading "module."; floating-point ones are written as 32-bit floats, others
are left out. Only open files that you trust: PyTorch runs code that a file holds unless it is a
plain state dict.
"""
import json
import struct
import sys

import torch


def main(source, target):
    state = torch.load(source, map_location="cpu")
    if hasattr(state, "state_dict"):
        state = state.state_dict()
    state = state.get("state_dict", state)
    arrays = {name.removeprefix("module."): tensor.detach().to(torch.float32).contiguous().numpy()
              for name, tensor in state.items() if torch.is_tensor(tensor) and tensor.is_floating_point()}
    if not arrays:
        raise SystemExit(f"{source}: no floating-point arrays")
    if target.endswith(".safetensors"):
        header, offset = {}, 0
        for name, array in arrays.items():
            header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [offset, offset + array.nbytes]}
            offset += array.nbytes
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        with open(target, "wb") as f:
            f.write(struct.pack("<Q", len(text)) + text)
            for array in arrays.values():
                f.write(array.astype("<f4").tobytes())
    else:
        import h5py
        with h5py.File(target, "w") as f:
            for name, array in arrays.items():
                f.create_dataset(name, data=array)
    print(f"{target}: {len(arrays)} arrays")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(sys.argv[1], sys.argv[2])
