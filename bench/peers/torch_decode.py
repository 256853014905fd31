"""Writing token by token, batch 1, with a key/value cache: the decoder of `torch_model`, its weights random."""
import math
import statistics
import time

import torch
import torch.nn.functional as F

from torch_model import EPSILON, PRESETS, rope_angles

VOCAB = 256
WARM_UP = 4


class Layer:
    """Products of one row are matrix-vector products: they read each weight once, where a general product would pack it first."""

    def __init__(self, c):
        width, hidden, dim = c["width"], c["hidden"], c["width"] // c["heads"]
        self.heads, self.dim = c["heads"], dim
        self.gain1, self.gain2 = torch.ones(width), torch.ones(width)
        self.qkv, self.out = torch.randn(3 * width, width) * 0.02, torch.randn(width, width) * 0.02
        self.gate_up, self.down = torch.randn(2 * hidden, width) * 0.02, torch.randn(width, hidden) * 0.02
        self.keys, self.values = (torch.randn(c["heads"], c["context"], dim) for _ in range(2))

    def take(self, block):
        """Takes the weights of a `TunedBlock`."""
        self.gain1, self.gain2 = block.gain1, block.gain2
        self.qkv, self.out, self.gate_up, self.down = (linear.weight for linear in (block.qkv, block.out, block.gate_up, block.down))

    def __call__(self, x, at, cos, sin):
        qk, v = torch.mv(self.qkv, rms_norm(x, self.gain1)).view(3, self.heads, self.dim).split((2, 1))
        q, k = torch.addcmul(qk * cos, qk.roll(self.dim // 2, -1), sin).unbind()
        self.keys[:, at] = k
        self.values[:, at] = v[0]
        scores, y = torch.empty(self.heads, at + 1), torch.empty(self.heads, self.dim)
        for head in range(self.heads):
            torch.mv(self.keys[head, :at + 1], q[head], out=scores[head])
        weights = scores.softmax(dim=-1)
        for head in range(self.heads):
            torch.mv(self.values[head, :at + 1].t(), weights[head], out=y[head])
        x = torch.addmv(x, self.out, y.view(-1))
        gate, up = torch.mv(self.gate_up, rms_norm(x, self.gain2)).chunk(2)
        return torch.addmv(x, self.down, F.silu(gate).mul_(up))


def rotation(c):
    """cos and sin [T, 2, 1, D] of queries (scaled by 1/√D) and keys."""
    dim = c["width"] // c["heads"]
    angles = rope_angles(c["context"], dim)
    scales = torch.tensor([1 / math.sqrt(dim), 1.0]).view(1, 2, 1, 1)
    cos = scales * torch.cat([angles.cos(), angles.cos()], -1).view(-1, 1, 1, dim)
    sin = scales * torch.cat([-angles.sin(), angles.sin()], -1).view(-1, 1, 1, dim)
    return cos, sin


def rms_norm(x, gain):
    return x * torch.rsqrt(torch.dot(x, x) / x.numel() + EPSILON) * gain


@torch.inference_mode()
def run(args):
    """The cache starts full of random keys and values: the time of a token does not depend on what they are."""
    c = PRESETS[args.preset]
    if args.prompt_tokens + args.tokens > c["context"]:
        raise SystemExit(f"torch_peer: {args.prompt_tokens} prompt tokens and {args.tokens} written ones are more than the context of {c['context']}")
    layers = [Layer(c) for _ in range(c["layers"])]
    embed, head, gain = torch.randn(VOCAB, c["width"]), torch.randn(VOCAB, c["width"]) * 0.02, torch.ones(c["width"])
    cos, sin = rotation(c)
    seconds = []
    for at in [args.prompt_tokens] * WARM_UP + [args.prompt_tokens + i for i in range(args.tokens)]:
        token = torch.randint(0, VOCAB, ()).item()
        started = time.perf_counter()
        x = embed[token]
        for layer in layers:
            x = layer(x, at, cos[at], sin[at])
        torch.mv(head, rms_norm(x, gain)).argmax().item()
        seconds.append(time.perf_counter() - started)
    return dict(tokensPerSecond=1 / statistics.median(seconds[WARM_UP:]), promptTokens=args.prompt_tokens, tokens=args.tokens)
