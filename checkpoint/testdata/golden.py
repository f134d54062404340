"""Writes the fixtures by safetensors 0.8.0 and PyTorch 2.15.0; run it here.

torch-f32.safetensors is what our writer must produce, byte for byte;
torch-mixed.safetensors has the other types that our reader knows.
"""
import torch
from safetensors.torch import save_file

save_file({
    "rnn.weight_ih_l0": torch.arange(6, dtype=torch.float32).reshape(2, 3) / 4 - 0.5,
    "decoder.bias": torch.tensor([1e-45, float("inf"), -0.0]),
    "encoder.weight": torch.tensor([[1.5], [-2.25]]),
    "scalar": torch.tensor(7.0),
    "empty": torch.zeros(0, 3),
    "naïve \"name\"": torch.tensor([3.0]),
}, "torch-f32.safetensors", metadata={"format": "pt"})
values = torch.tensor([[0.0, -0.0, 1.0, -2.5], [65504.0, 6e-8, 3e-5, float("inf")]], dtype=torch.float64)
save_file({
    "f64": values, "f32": values.float(), "f16": values.half(), "bf16": values.bfloat16(),
}, "torch-mixed.safetensors")
