#!/usr/bin/env python3
"""What PyTorch takes on a CUDA device for what `nanofold bench gpu` does there: products, fused attention, whole training steps.

    python3 bench/peers/gpu_peer.py gemm
    python3 bench/peers/gpu_peer.py attention
    python3 bench/peers/gpu_peer.py step --preset gpt2 --batch 16 --vocab 50304 --precision bf16
    python3 bench/peers/gpu_peer.py step --preset small --device cpu --threads 16 --precision fp32     (the same model on the CPU)

Prints one JSON object. Steps: the decoder of the presets as PyTorch 2 is meant to be used - F.rms_norm, scaled_dot_product_attention, autocast, fused
AdamW, clipping by the norm - eager, compiled, and with the whole step in a CUDA graph: tokensPerSecond of the median step each; what a mode does not
support is named in "failed". Products: TFLOP/s of cuBLAS in fp32, tf32 and bf16. Products and attention are timed by the
device's own clock, in CUDA graphs. Needs PyTorch 2 (2.4 for F.rms_norm).
"""
import argparse
import json
import statistics
import time

import torch
import torch.nn.functional as F
from torch import nn

from torch_peer import KEEP_MEMORY, start_over_with

PRESETS = {
    "nano": dict(layers=4, heads=4, width=128, hidden=344, context=64, batch=12, tied=False),
    "small": dict(layers=6, heads=6, width=384, hidden=1024, context=256, batch=64, tied=False),
    "gpt2": dict(layers=12, heads=12, width=768, hidden=2048, context=1024, batch=16, tied=True),
}
TYPES = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        width, self.heads, self.in_floats = c["width"], c["heads"], c.get("attention") == "fp32"
        self.gain1, self.gain2 = nn.Parameter(torch.ones(width)), nn.Parameter(torch.ones(width))
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.gate_up = nn.Linear(width, 2 * c["hidden"], bias=False)
        self.down = nn.Linear(c["hidden"], width, bias=False)

    def forward(self, x, cos, sin):
        b, t, width = x.shape
        qkv = self.qkv(F.rms_norm(x, (width,), self.gain1)).view(b, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind()
        y = self.attend(rotate(q, cos, sin), rotate(k, cos, sin), v)
        x = x + self.out(y.transpose(1, 2).reshape(b, t, width))
        g, u = self.gate_up(F.rms_norm(x, (width,), self.gain2)).chunk(2, dim=-1)
        return x + self.down(F.silu(g) * u)


    def attend(self, q, k, v):
        if not self.in_floats:
            return F.scaled_dot_product_attention(q, k, v, is_causal=True)
        with torch.autocast(q.device.type, enabled=False):
            return F.scaled_dot_product_attention(q.float(), k.float(), v.float(), is_causal=True).to(v.dtype)


def rotate(x, cos, sin):
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1).to(x.dtype)


class Model(nn.Module):
    def __init__(self, c, vocab):
        super().__init__()
        self.embed = nn.Embedding(vocab, c["width"])
        self.blocks = nn.ModuleList(Block(c) for _ in range(c["layers"]))
        self.gain = nn.Parameter(torch.ones(c["width"]))
        self.head = nn.Linear(c["width"], vocab, bias=False)
        if c["tied"]:
            self.head.weight = self.embed.weight
        dim = c["width"] // c["heads"]
        angles = torch.outer(torch.arange(c["context"]), 10000.0 ** (-2.0 * torch.arange(dim // 2) / dim))
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())
        for p in self.parameters():
            if p.dim() == 2:
                nn.init.normal_(p, std=0.02)

    def forward(self, tokens, targets):
        x = self.embed(tokens)
        for block in self.blocks:
            x = block(x, self.cos, self.sin)
        x = F.rms_norm(x, (x.shape[-1],), self.gain)
        return F.cross_entropy(self.head(x).flatten(0, 1).float(), targets.flatten())


def synchronize(device):
    if device == "cuda":
        torch.cuda.synchronize()


def median_seconds(run, device, steps, warm):
    for _ in range(warm):
        run()
    synchronize(device)
    seconds = []
    for _ in range(steps):
        started = time.perf_counter()
        run()
        synchronize(device)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def trainer(args, c, compiled, graph):
    torch.manual_seed(1)
    device = args.device
    model = Model(c, args.vocab).to(device)
    groups = [dict(params=[p for p in model.parameters() if p.dim() == 2], weight_decay=0.1),
              dict(params=[p for p in model.parameters() if p.dim() < 2], weight_decay=0.0)]
    rate = torch.tensor(1e-3, device=device) if graph else 1e-3
    optimizer = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.99), fused=True, **(dict(capturable=True) if graph else {}))
    forward = torch.compile(model) if compiled else model
    is_half = args.precision in ("bf16", "fp16")
    tokens = torch.randint(0, args.vocab, (c["batch"], c["context"] + 1), device=device)
    x, y = tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()

    def step():
        optimizer.zero_grad(set_to_none=not graph)
        with torch.autocast(device, dtype=TYPES[args.precision], enabled=is_half):
            loss = forward(x, y)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=True)
        optimizer.step()
        return loss

    if not graph:
        # The loss is read at every step, as training does.
        return lambda: step().item()
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(4):
            step()
    torch.cuda.current_stream().wait_stream(side)
    captured = torch.cuda.CUDAGraph()
    with torch.cuda.graph(captured):
        loss = step()

    def replay():
        captured.replay()
        return loss.item()

    return replay


def step(args):
    c = dict(PRESETS[args.preset])
    c["batch"], c["attention"] = args.batch or c["batch"], args.attention
    tokens = c["batch"] * c["context"]
    modes = dict(eager=(False, False), compiled=(True, False))
    if args.device == "cuda":
        modes |= dict(graph=(False, True), compiledGraph=(True, True))
    rates, failed = {}, {}
    for name in args.modes or modes:
        try:
            run = trainer(args, c, *modes[name])
            rates[name] = tokens / median_seconds(run, args.device, args.steps, 5)
        except Exception as error:
            failed[name] = str(error).splitlines()[0][:200]
        if args.device == "cuda":
            torch.cuda.empty_cache()
    return dict(preset=args.preset, batch=c["batch"], context=c["context"], vocab=args.vocab, precision=args.precision, tokensPerSecond=rates, failed=failed)


def shapes():
    """(name, m, n, k) of y = a · bᵀ: a cube, and the linear layers of gpt2 at 16 × 1,024 tokens with their gradients."""
    rows = 16 * 1024
    layers = dict(qkv=(2304, 768), out=(768, 768), up=(4096, 768), down=(768, 2048), head=(50304, 768))
    yield "cube", 4096, 4096, 4096
    for name, (n, k) in layers.items():
        yield f"{name} forward", rows, n, k
        yield f"{name} dX", rows, k, n
        yield f"{name} dW", n, k, rows


def device_seconds(run):
    """Median time of a call on the device: eight in a CUDA graph between two events, so that the host's part of a call is not in it."""
    repeats = 8
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(side)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(repeats):
            run()
    samples = []
    for _ in range(7):
        first, last = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        first.record()
        graph.replay()
        last.record()
        torch.cuda.synchronize()
        samples.append(first.elapsed_time(last) / 1e3 / repeats)
    return statistics.median(samples)


def gemm(args):
    cases = []
    for name, m, n, k in shapes():
        case = dict(name=name, m=m, n=n, k=k)
        for precision in ("fp32", "tf32", "bf16"):
            torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
            a, b = (torch.randn(s, device="cuda", dtype=TYPES[precision]) for s in ((m, k), (n, k)))
            y = torch.empty(m, n, device="cuda", dtype=a.dtype)
            case[precision] = 2 * m * n * k / device_seconds(lambda: torch.mm(a, b.t(), out=y)) / 1e12
        cases.append(case)
    return dict(cases=cases)


def attention(args):
    cases = []
    for b, t, h, d in ((16, 1024, 12, 64), (64, 256, 6, 64), (4, 4096, 12, 64), (8, 1024, 12, 128)):
        q, k, v = (torch.randn(b, h, t, d, device="cuda", dtype=torch.bfloat16, requires_grad=True) for _ in range(3))
        dy = torch.randn_like(q)
        forward = device_seconds(lambda: F.scaled_dot_product_attention(q, k, v, is_causal=True))
        both = device_seconds(lambda: torch.autograd.grad(F.scaled_dot_product_attention(q, k, v, is_causal=True), (q, k, v), dy))
        cases.append(dict(batch=b, context=t, heads=h, headDim=d, forwardMs=1e3 * forward, bothMs=1e3 * both))
    return dict(cases=cases)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["gemm", "attention", "step"])
    parser.add_argument("--preset", choices=list(PRESETS), default="gpt2")
    parser.add_argument("--batch", type=int, help="the preset's if not given")
    parser.add_argument("--vocab", type=int, default=50304)
    parser.add_argument("--precision", choices=list(TYPES), default="bf16")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--threads", type=int, help="of the CPU")
    parser.add_argument("--attention", choices=["fp32"], help="in fp32 whatever the precision: on a CPU without MKL, PyTorch's in bf16 is ten times slower")
    parser.add_argument("--modes", nargs="*", help="eager, compiled, graph, compiledGraph")
    args = parser.parse_args()
    if args.device == "cpu":
        threads = {"OMP_NUM_THREADS": str(args.threads), "OPENBLAS_NUM_THREADS": str(args.threads)} if args.threads else {}
        start_over_with({**threads, "GLIBC_TUNABLES": KEEP_MEMORY})
    if args.threads:
        torch.set_num_threads(args.threads)
    if args.precision == "tf32":
        torch.backends.cuda.matmul.allow_tf32 = True
    name = torch.cuda.get_device_name() if args.device == "cuda" else "cpu"
    print(json.dumps({**dict(gemm=gemm, attention=attention, step=step)[args.what](args), "torch": torch.__version__, "device": name}))


if __name__ == "__main__":
    main()
