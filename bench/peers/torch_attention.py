"""Causal attention forward and backward, composed of products and softmax and, in PyTorch 2, as `scaled_dot_product_attention`."""
import math
import statistics
import time

import torch
import torch.nn.functional as F

SECONDS_PER_CASE = 1.5
FEWEST, MOST = 3, 15


def composed(mask):
    """softmax(q kᵀ / √D + mask) v over [B · H, T, D]; the mask is what the product of q and k starts from."""
    return lambda q, k, v: torch.bmm(torch.baddbmm(mask, q, k.transpose(1, 2), alpha=1 / math.sqrt(q.shape[-1])).softmax(-1), v)


def fused(q, k, v):
    return F.scaled_dot_product_attention(q[None], k[None], v[None], is_causal=True)[0]


def seconds_of(work):
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def measure(attention, operands, d_y):
    """Milliseconds forward, and what forward and backward take more than that: medians, by turns."""
    def forward():
        with torch.no_grad():
            attention(*operands)

    def both():
        torch.autograd.grad(attention(*operands), operands, d_y)

    forward()
    both()
    samples, started = [], time.perf_counter()
    while len(samples) < FEWEST or (len(samples) < MOST and time.perf_counter() - started < SECONDS_PER_CASE):
        samples.append((seconds_of(forward), seconds_of(both)))
    first, total = (statistics.median(column) for column in zip(*samples))
    return 1000 * first, 1000 * max(0.0, total - first)


def run(args):
    cases = []
    for context, batch, heads, dim in args.shapes:
        variants = dict(composed=composed(torch.full((1, context, context), -math.inf).triu_(1)))
        if hasattr(F, "scaled_dot_product_attention"):
            variants["fused"] = fused
        operands = [torch.randn(batch * heads, context, dim, requires_grad=True) for _ in range(3)]
        d_y = torch.ones(batch * heads, context, dim)
        for name, attention in variants.items():
            forward, backward = measure(attention, operands, d_y)
            cases.append(dict(context=context, batch=batch, heads=heads, headDim=dim, variant=name, forwardMs=forward, backwardMs=backward))
    return dict(cases=cases)
