#!/usr/bin/env python3
"""The peer of `nanofold bench step`, `nanofold bench gemm` and `nanofold train`: the same decoder in PyTorch.

Pre-norm RMSNorm, rotary positions, SwiGLU, untied head, no biases, float32, AdamW.

    python3 bench/peers/torch_peer.py step  --preset small --batch 8 --threads 1 --steps 8
    python3 bench/peers/torch_peer.py gemm  --preset small --threads 1
    python3 bench/peers/torch_peer.py train --preset nano --data TEXT --steps 2000 --threads 1

Prints one JSON object. Needs PyTorch (Debian: python3-torch).
"""
import argparse
import json
import math
import statistics
import time

import torch
import torch.nn.functional as F
from torch import nn

PRESETS = {
    "nano": dict(layers=4, heads=4, width=128, hidden=344, context=64, batch=12),
    "small": dict(layers=6, heads=6, width=384, hidden=1024, context=256, batch=8),
}


class RmsNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * self.gain


def rope_table(context, dim):
    angles = torch.outer(torch.arange(context), 10000.0 ** (-2.0 * torch.arange(dim // 2) / dim))
    return angles.cos()[None, None], angles.sin()[None, None]


def rotate(x, table):
    cos, sin = table
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        width, self.heads = c["width"], c["heads"]
        self.norm1, self.norm2 = RmsNorm(width), RmsNorm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.gate = nn.Linear(width, c["hidden"], bias=False)
        self.up = nn.Linear(width, c["hidden"], bias=False)
        self.down = nn.Linear(c["hidden"], width, bias=False)

    def forward(self, x, table, mask):
        b, t, width = x.shape
        q, k, v = (y.view(b, t, self.heads, -1).transpose(1, 2) for y in self.qkv(self.norm1(x)).chunk(3, dim=-1))
        q, k = rotate(q, table), rotate(k, table)
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        y = scores.masked_fill(mask, -math.inf).softmax(dim=-1) @ v
        x = x + self.out(y.transpose(1, 2).reshape(b, t, width))
        h = self.norm2(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


class Model(nn.Module):
    def __init__(self, c, vocab):
        super().__init__()
        self.embed = nn.Embedding(vocab, c["width"])
        self.blocks = nn.ModuleList(Block(c) for _ in range(c["layers"]))
        self.norm = RmsNorm(c["width"])
        self.head = nn.Linear(c["width"], vocab, bias=False)
        self.table = rope_table(c["context"], c["width"] // c["heads"])
        self.mask = torch.triu(torch.ones(c["context"], c["context"], dtype=torch.bool), 1)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                scale = 1 / math.sqrt(2 * c["layers"]) if name.endswith(("out.weight", "down.weight")) else 1
                nn.init.normal_(p, std=0.02 * scale)

    def forward(self, tokens, targets):
        x = self.embed(tokens)
        t = tokens.shape[1]
        table = (self.table[0][:, :, :t], self.table[1][:, :, :t])
        for block in self.blocks:
            x = block(x, table, self.mask[:t, :t])
        return F.cross_entropy(self.head(self.norm(x)).flatten(0, 1), targets.flatten())


def optimizer_of(model, lr):
    decayed = [p for p in model.parameters() if p.dim() == 2]
    plain = [p for p in model.parameters() if p.dim() < 2]
    return torch.optim.AdamW([dict(params=decayed, weight_decay=0.1), dict(params=plain, weight_decay=0.0)], lr=lr, betas=(0.9, 0.99))


def one_step(model, optimizer, tokens, targets):
    optimizer.zero_grad(set_to_none=True)
    loss = model(tokens, targets)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()


def bench(args, c):
    model = Model(c, 256)
    optimizer = optimizer_of(model, 1e-3)
    tokens = torch.randint(0, 256, (c["batch"], c["context"] + 1))
    seconds = []
    for i in range(args.steps + 3):
        started = time.perf_counter()
        one_step(model, optimizer, tokens[:, :-1], tokens[:, 1:])
        if i >= 3:
            seconds.append(time.perf_counter() - started)
    return dict(tokensPerSecond=c["batch"] * c["context"] / statistics.median(seconds))


def gemm(args, c):
    tokens, width, hidden = c["batch"] * c["context"], c["width"], c["hidden"]
    cases = [("cube", 1024, 1024, 1024, False, False)]
    for n, k in ((width, width), (hidden, width), (width, hidden), (256, width)):
        cases += [("forward", tokens, n, k, False, True), ("dX", tokens, k, n, False, False), ("dW", n, k, tokens, True, False)]
    results = []
    for name, m, n, k, trans_a, trans_b in cases:
        a = torch.rand(k, m).t() if trans_a else torch.rand(m, k)
        b = torch.rand(n, k).t() if trans_b else torch.rand(k, n)
        y = torch.empty(m, n)
        calls = max(1, int(0.02 * 80e9 / (2 * m * n * k)))
        seconds = []
        for _ in range(16):
            started = time.perf_counter()
            for _ in range(calls):
                torch.mm(a, b, out=y)
            seconds.append((time.perf_counter() - started) / calls)
        gflops = 2 * m * n * k / statistics.median(seconds[1:]) / 1e9
        results.append(dict(name=name, m=m, n=n, k=k, transA=trans_a, transB=trans_b, gflops=gflops))
    return dict(cases=results)


def train(args, c):
    data = torch.frombuffer(bytearray(open(args.data, "rb").read()), dtype=torch.uint8).long()
    cut = int(0.9 * len(data))
    text, held = data[:cut], data[cut:]
    model = Model(c, 256)
    optimizer = optimizer_of(model, args.lr)
    started = time.perf_counter()
    for step in range(args.steps):
        warm = min(1.0, (step + 1) / 100)
        factor = warm * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * max(0, step - 100) / (args.steps - 100))))
        for group in optimizer.param_groups:
            group["lr"] = args.lr * factor
        at = torch.randint(0, len(text) - c["context"], (c["batch"],))
        windows = torch.stack([text[i:i + c["context"] + 1] for i in at])
        one_step(model, optimizer, windows[:, :-1], windows[:, 1:])
    seconds = time.perf_counter() - started
    total = count = 0
    with torch.no_grad():
        for i in range(0, len(held) - 1, c["context"]):
            window = held[i:i + c["context"] + 1]
            total += model(window[None, :-1], window[None, 1:]).item() * (len(window) - 1)
            count += len(window) - 1
    return dict(validationLoss=total / count, seconds=seconds, tokensPerSecond=args.steps * c["batch"] * c["context"] / seconds)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["step", "gemm", "train"])
    parser.add_argument("--preset", choices=PRESETS, default="nano")
    parser.add_argument("--batch", type=int)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--data")
    parser.add_argument("--lr", type=float, default=1e-3)
    args = parser.parse_args()
    torch.manual_seed(1)
    torch.set_num_threads(args.threads)
    c = dict(PRESETS[args.preset])
    c["batch"] = args.batch or c["batch"]
    print(json.dumps(dict(step=bench, gemm=gemm, train=train)[args.what](args, c)))


if __name__ == "__main__":
    main()
