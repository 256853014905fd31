#!/usr/bin/env python3
"""What PyTorch takes for recurrences along time, forward and backward: a loop over the tokens, compiled by torch.jit.

    python3 bench/peers/torch_scan.py --kind mamba --batch 1 --contexts 256,1024 --width 768 --state 16
    python3 bench/peers/torch_scan.py --kind scan --contexts 1024

Kinds: scan (h = a h + x), mamba (the selective scan of S6 as its authors' reference writes it, step by step), rnn, gru (cells with a dense product of the state).
Prints one JSON object: cases [{kind, batch, context, width, state, forwardMs, backwardMs}], medians, with torch, threads, blas and blasGflops. Needs PyTorch.
"""
import argparse
import json
import statistics
import sys
import time

from torch_peer import KEEP_MEMORY, count, start_over_with

SECONDS_PER_CASE = 3.0
FEWEST, MOST = 3, 15


def numbers(text):
    try:
        result = [int(part) for part in text.split(",")]
    except ValueError:
        result = []
    if not result or min(result) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no list of positive whole numbers")
    return result


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=["scan", "mamba", "rnn", "gru"], default="mamba")
    parser.add_argument("--batch", type=count, default=1)
    parser.add_argument("--contexts", type=numbers, default=[256, 1024])
    parser.add_argument("--width", type=count, default=768, help="channels")
    parser.add_argument("--state", type=count, default=16, help="mamba: numbers that the state of a channel has")
    parser.add_argument("--threads", type=count, default=1)
    return parser.parse_args()


def loops(torch):
    """The recurrences, each a function of [B, T, ..] that returns all outputs. Tokens are taken apart at once: the gradient of x[:, t] would be as large as that of x."""
    from typing import List

    @torch.jit.script
    def scan(a: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        h = torch.zeros_like(x[:, 0])
        outputs: List[torch.Tensor] = []
        for a_t, x_t in zip(a.unbind(1), x.unbind(1)):
            h = a_t * h + x_t
            outputs.append(h)
        return torch.stack(outputs, 1)

    @torch.jit.script
    def mamba(x: torch.Tensor, delta: torch.Tensor, log_decay: torch.Tensor, b: torch.Tensor, c: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        step = torch.nn.functional.softplus(delta)
        decay = -torch.exp(log_decay)
        h = torch.zeros([x.shape[0], x.shape[2], log_decay.shape[1]])
        outputs: List[torch.Tensor] = []
        for s, x_t, b_t, c_t in zip(step.unsqueeze(-1).unbind(1), x.unsqueeze(-1).unbind(1), b.unsqueeze(2).unbind(1), c.unsqueeze(2).unbind(1)):
            h = torch.exp(s * decay) * h + (s * x_t) * b_t
            outputs.append((h * c_t).sum(-1))
        return torch.stack(outputs, 1) + skip * x

    @torch.jit.script
    def rnn(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        h = torch.zeros_like(x[:, 0])
        outputs: List[torch.Tensor] = []
        for x_t in x.unbind(1):
            h = torch.tanh(x_t + torch.addmm(bias, h, weight.t()))
            outputs.append(h)
        return torch.stack(outputs, 1)

    @torch.jit.script
    def gru(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        h = torch.zeros([x.shape[0], weight.shape[1]])
        outputs: List[torch.Tensor] = []
        for x_t in x.unbind(1):
            xr, xz, xn = x_t.chunk(3, -1)
            hr, hz, hn = torch.addmm(bias, h, weight.t()).chunk(3, -1)
            z = torch.sigmoid(xz + hz)
            n = torch.tanh(xn + torch.sigmoid(xr + hr) * hn)
            h = n + z * (h - n)
            outputs.append(h)
        return torch.stack(outputs, 1)

    return dict(scan=scan, mamba=mamba, rnn=rnn, gru=gru)


def operands(torch, kind, batch, context, width, state):
    def real(*shape):
        return torch.randn(*shape)

    if kind == "scan":
        tensors = [torch.rand(batch, context, width) * 0.7 + 0.3, real(batch, context, width)]
    elif kind == "mamba":
        tensors = [real(batch, context, width), real(batch, context, width) - 3, torch.arange(1.0, state + 1).log().repeat(width, 1),
                   real(batch, context, state), real(batch, context, state), torch.ones(width)]
    else:
        gates = 3 if kind == "gru" else 1
        tensors = [real(batch, context, gates * width), real(gates * width, width) / width ** 0.5, torch.zeros(gates * width)]
    return [tensor.requires_grad_() for tensor in tensors]


def measure(torch, recurrence, tensors):
    """Milliseconds forward, and what forward and backward take more than that: medians, by turns. The first runs, which compile, do not count."""
    d_y = torch.ones_like(recurrence(*tensors))

    def forward():
        with torch.no_grad():
            recurrence(*tensors)

    def both():
        torch.autograd.grad(recurrence(*tensors), tensors, d_y)

    def seconds_of(work):
        started = time.perf_counter()
        work()
        return time.perf_counter() - started

    for _ in range(2):
        forward()
        both()
    samples, started = [], time.perf_counter()
    while len(samples) < FEWEST or (len(samples) < MOST and time.perf_counter() - started < SECONDS_PER_CASE):
        samples.append((seconds_of(forward), seconds_of(both)))
    first, total = (statistics.median(column) for column in zip(*samples))
    return 1000 * first, 1000 * max(0.0, total - first)


def main():
    args = arguments()
    threads = str(args.threads)
    start_over_with({"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads, "GLIBC_TUNABLES": KEEP_MEMORY})
    try:
        import torch
    except ImportError:
        sys.exit("torch_scan: PyTorch is missing for this Python; in Debian: apt install python3-torch libopenblas0, then /usr/bin/python3")
    torch.manual_seed(1)
    torch.set_num_threads(args.threads)
    import torch_blas
    blas = torch_blas.require(False)
    recurrence = loops(torch)[args.kind]
    cases = []
    for context in args.contexts:
        tensors = operands(torch, args.kind, args.batch, context, args.width, args.state)
        forward, backward = measure(torch, recurrence, tensors)
        cases.append(dict(kind=args.kind, batch=args.batch, context=context, width=args.width, state=args.state, forwardMs=forward, backwardMs=backward))
    print(json.dumps({"cases": cases, "torch": torch.__version__, **blas, "threads": args.threads}))


if __name__ == "__main__":
    main()
