"""Fine-tuning steps of SmolLM2-135M's shapes in eager PyTorch, random weights: all weights, or LoRA on every linear layer.

OPENBLAS_CORETYPE=SKYLAKEX python3 torch_finetune.py --rank 0 --steps 4       (--rank 8: LoRA)
"""
import argparse
import math
import resource
import time

import torch
import torch.nn.functional as F
from torch import nn

LAYERS, WIDTH, HEADS, KV_HEADS, HEAD, HIDDEN, VOCAB = 30, 576, 9, 3, 64, 1536, 49152
BATCH, TIME = 4, 256


class Norm(nn.Module):
    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(WIDTH))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * self.gain


class Linear(nn.Module):
    def __init__(self, inputs, outputs, rank):
        super().__init__()
        self.base, self.rank = nn.Linear(inputs, outputs, bias=False), rank
        if rank:
            self.a, self.b = nn.Linear(inputs, rank, bias=False), nn.Linear(rank, outputs, bias=False)
            nn.init.zeros_(self.b.weight)

    def forward(self, x):
        return self.base(x) + 2 * self.b(self.a(x)) if self.rank else self.base(x)


class Block(nn.Module):
    def __init__(self, rank):
        super().__init__()
        self.norm1, self.norm2 = Norm(), Norm()
        self.q, self.o = Linear(WIDTH, HEADS * HEAD, rank), Linear(HEADS * HEAD, WIDTH, rank)
        self.k, self.v = Linear(WIDTH, KV_HEADS * HEAD, rank), Linear(WIDTH, KV_HEADS * HEAD, rank)
        self.gate, self.up, self.down = Linear(WIDTH, HIDDEN, rank), Linear(WIDTH, HIDDEN, rank), Linear(HIDDEN, WIDTH, rank)

    def forward(self, x, cos, sin, mask):
        def turned(y):
            a, b = y.chunk(2, dim=-1)
            return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)

        h = self.norm1(x)
        q, k, v = (p(h).view(BATCH, TIME, -1, HEAD).transpose(1, 2) for p in (self.q, self.k, self.v))
        k, v = (y.repeat_interleave(HEADS // KV_HEADS, 1) for y in (turned(k), v))
        weights = (turned(q) @ k.transpose(-2, -1) / math.sqrt(HEAD)).masked_fill(mask, -math.inf).softmax(-1)
        x = x + self.o((weights @ v).transpose(1, 2).reshape(BATCH, TIME, -1))
        h = self.norm2(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


class Model(nn.Module):
    def __init__(self, rank):
        super().__init__()
        self.embed, self.norm = nn.Embedding(VOCAB, WIDTH), Norm()
        self.blocks = nn.ModuleList(Block(rank) for _ in range(LAYERS))
        for name, parameter in self.named_parameters():
            parameter.requires_grad = not rank or name.endswith(("a.weight", "b.weight"))
        angles = torch.outer(torch.arange(TIME), 1e5 ** (-2.0 * torch.arange(HEAD // 2) / HEAD))
        self.cos, self.sin = angles.cos(), angles.sin()
        self.mask = torch.triu(torch.ones(TIME, TIME, dtype=torch.bool), 1)

    def forward(self, tokens, targets):
        x = self.embed(tokens)
        for block in self.blocks:
            x = block(x, self.cos, self.sin, self.mask)
        return F.cross_entropy(F.linear(self.norm(x), self.embed.weight).flatten(0, 1), targets.flatten())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rank", type=int, default=0, help="of LoRA; 0 trains all weights")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model = Model(args.rank)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4)
    tokens = torch.randint(0, VOCAB, (BATCH, TIME + 1))
    rates = []
    for _ in range(args.steps):
        started = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        model(tokens[:, :-1], tokens[:, 1:]).backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        rates.append(round(BATCH * TIME / (time.perf_counter() - started)))
    print("tokens/s", rates, "peak GB", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6)


if __name__ == "__main__":
    main()
