"""The decoder of the presets in eager PyTorch, twice: `PlainModel` as a textbook writes it, `TunedModel` as fast as eager PyTorch allows.

Both: pre-norm RMSNorm, rotary positions (half-split), SwiGLU, causal attention, untied head, no biases, float32.
"""
import math

import torch
import torch.nn.functional as F
from torch import nn

PRESETS = {
    "nano": dict(layers=4, heads=4, width=128, hidden=344, context=64, batch=12),
    "small": dict(layers=6, heads=6, width=384, hidden=1024, context=256, batch=8),
    "gpt2": dict(layers=12, heads=12, width=768, hidden=2048, context=1024, batch=4),
}
EPSILON = 1e-5


def rope_angles(context, dim):
    return torch.outer(torch.arange(context), 10000.0 ** (-2.0 * torch.arange(dim // 2) / dim))


def initialize(model, layers):
    for name, p in model.named_parameters():
        if p.dim() == 2:
            nn.init.normal_(p, std=0.02 / (math.sqrt(2 * layers) if name.endswith(("out.weight", "down.weight")) else 1))


class RmsNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + EPSILON) * self.gain


class PlainBlock(nn.Module):
    def __init__(self, c):
        super().__init__()
        width, self.heads = c["width"], c["heads"]
        self.norm1, self.norm2 = RmsNorm(width), RmsNorm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.gate = nn.Linear(width, c["hidden"], bias=False)
        self.up = nn.Linear(width, c["hidden"], bias=False)
        self.down = nn.Linear(c["hidden"], width, bias=False)

    def forward(self, x, cos, sin, mask):
        b, t, width = x.shape
        q, k, v = (y.view(b, t, self.heads, -1).transpose(1, 2) for y in self.qkv(self.norm1(x)).chunk(3, dim=-1))
        q, k = self.rotate(q, cos, sin), self.rotate(k, cos, sin)
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        y = scores.masked_fill(mask, -math.inf).softmax(dim=-1) @ v
        x = x + self.out(y.transpose(1, 2).reshape(b, t, width))
        h = self.norm2(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))

    @staticmethod
    def rotate(x, cos, sin):
        a, b = x.chunk(2, dim=-1)
        return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)


class PlainModel(nn.Module):
    def __init__(self, c, vocab):
        super().__init__()
        self.embed = nn.Embedding(vocab, c["width"])
        self.blocks = nn.ModuleList(PlainBlock(c) for _ in range(c["layers"]))
        self.norm = RmsNorm(c["width"])
        self.head = nn.Linear(c["width"], vocab, bias=False)
        angles = rope_angles(c["context"], c["width"] // c["heads"])
        self.cos, self.sin = angles.cos(), angles.sin()
        self.mask = torch.triu(torch.ones(c["context"], c["context"], dtype=torch.bool), 1)
        initialize(self, c["layers"])

    def forward(self, tokens, targets):
        x = self.embed(tokens)
        t = tokens.shape[1]
        for block in self.blocks:
            x = block(x, self.cos[:t], self.sin[:t], self.mask[:t, :t])
        return F.cross_entropy(self.head(self.norm(x)).flatten(0, 1), targets.flatten())


class RmsNormFunction(torch.autograd.Function):
    """y = x̂ ⊙ gain with x̂ = x / √(mean(x²) + ε), over [tokens, width]; five passes backward where autograd takes ten."""

    @staticmethod
    def forward(ctx, x, gain):
        scale = x.square().mean(-1, keepdim=True).add_(EPSILON).rsqrt_()
        unit = x * scale
        ctx.save_for_backward(unit, scale, gain)
        return unit * gain

    @staticmethod
    def backward(ctx, dy):
        unit, scale, gain = ctx.saved_tensors
        product = dy * unit
        d_gain = product.sum(0)
        mean = torch.mv(product, gain).div_(-gain.numel()).unsqueeze(-1)
        return torch.addcmul(dy * gain, unit, mean).mul_(scale), d_gain


class SwigluFunction(torch.autograd.Function):
    """y = silu(g) ⊙ u of gu = [g, u] [tokens, 2 · hidden]; both gradients are written side by side, so nothing is concatenated."""

    @staticmethod
    def forward(ctx, gu):
        ctx.save_for_backward(gu)
        g, u = gu.chunk(2, dim=-1)
        return F.silu(g).mul_(u)

    @staticmethod
    def backward(ctx, dy):
        gu, = ctx.saved_tensors
        g, u = gu.chunk(2, dim=-1)
        d_gu = torch.empty_like(gu)
        d_g, d_u = d_gu.chunk(2, dim=-1)
        torch.mul(F.silu(g), dy, out=d_u)
        torch.ops.aten.silu_backward.grad_input(dy * u, g, grad_input=d_g)
        return d_gu


class TunedBlock(nn.Module):
    def __init__(self, c):
        super().__init__()
        width, self.heads = c["width"], c["heads"]
        self.gain1, self.gain2 = nn.Parameter(torch.ones(width)), nn.Parameter(torch.ones(width))
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.gate_up = nn.Linear(width, 2 * c["hidden"], bias=False)
        self.down = nn.Linear(c["hidden"], width, bias=False)

    def forward(self, x, b, cos, sin, mask):
        """x [B·T, C]; cos and sin [2, 1, T, D] for queries (scaled by 1/√D) and keys; mask [1, T, T], added."""
        width, t = x.shape[1], mask.shape[-1]
        qkv = F.linear(RmsNormFunction.apply(x, self.gain1), self.qkv.weight).view(b, t, 3, self.heads, -1)
        qkv = qkv.permute(2, 0, 3, 1, 4).reshape(3, b * self.heads, t, -1)
        qk, v = qkv.split((2, 1))
        q, k = torch.addcmul(qk * cos, qk.roll(qk.shape[-1] // 2, -1), sin).unbind()
        weights = torch.baddbmm(mask, q, k.transpose(1, 2)).softmax(dim=-1)
        y = torch.bmm(weights, v[0]).view(b, self.heads, t, -1).transpose(1, 2).reshape(b * t, width)
        x = torch.addmm(x, y, self.out.weight.t())
        h = SwigluFunction.apply(F.linear(RmsNormFunction.apply(x, self.gain2), self.gate_up.weight))
        return torch.addmm(x, h, self.down.weight.t())


class TunedModel(nn.Module):
    """The same function as `PlainModel` with fewer passes over memory: joined projections, residuals added by the product,
    rotation by one table, the mask as the start value of the scores, hand-written gradients of RMSNorm and SwiGLU."""

    def __init__(self, c, vocab):
        super().__init__()
        self.embed = nn.Embedding(vocab, c["width"])
        self.blocks = nn.ModuleList(TunedBlock(c) for _ in range(c["layers"]))
        self.gain = nn.Parameter(torch.ones(c["width"]))
        self.head = nn.Linear(c["width"], vocab, bias=False)
        dim = c["width"] // c["heads"]
        angles = rope_angles(c["context"], dim)
        scales = torch.tensor([1 / math.sqrt(dim), 1.0]).view(2, 1, 1, 1)
        self.cos = scales * torch.cat([angles.cos(), angles.cos()], -1)
        self.sin = scales * torch.cat([-angles.sin(), angles.sin()], -1)
        self.mask = torch.full((1, c["context"], c["context"]), -math.inf).triu_(1)
        initialize(self, c["layers"])

    def forward(self, tokens, targets):
        b, t = tokens.shape
        x = self.embed(tokens.reshape(-1))
        for block in self.blocks:
            x = block(x, b, self.cos[:, :, :t], self.sin[:, :, :t], self.mask[:, :t, :t])
        return F.cross_entropy(F.linear(RmsNormFunction.apply(x, self.gain), self.head.weight), targets.reshape(-1))

    @torch.no_grad()
    def copy_from(self, plain):
        """Takes the weights of a `PlainModel`."""
        self.embed.weight.copy_(plain.embed.weight)
        self.head.weight.copy_(plain.head.weight)
        self.gain.copy_(plain.norm.gain)
        for mine, other in zip(self.blocks, plain.blocks):
            mine.gain1.copy_(other.norm1.gain)
            mine.gain2.copy_(other.norm2.gain)
            mine.gate_up.weight.copy_(torch.cat([other.gate.weight, other.up.weight]))
            for name in ("qkv", "out", "down"):
                getattr(mine, name).weight.copy_(getattr(other, name).weight)
