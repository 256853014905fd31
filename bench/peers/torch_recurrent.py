"""Heads with a matrix as state, forward and backward, in eager PyTorch: the chunked form in products of all chunks at once, the state from chunk to chunk.

S ← exp(decay) ⊙ S, u = v or beta (v − Sᵀ k), S ← S + k uᵀ, y = Sᵀ q / √D. Inside a chunk pairs meet in masked products, the delta rule's triangular
system is solved for all chunks together (its UT transform). With factors of elements q takes exp(G − G of the middle) and k the inverse: one product, good
for mild decays only.
"""
import argparse
import json
import math
import os

import torch

from torch_attention import measure

DECAYS = ("none", "constant", "scalar", "vector")


def chunked(x, chunk):
    """[B · H, T, …] to [B · H, T / C, C, …]."""
    return x.unflatten(1, (-1, chunk))


def scores(q, k, logs, is_vector, mask):
    """Products of q_t and k_s with the factors between them, 0 where the mask is −∞."""
    if logs is None:
        return (q @ k.transpose(-1, -2)) * mask.exp()
    if is_vector:
        middle = logs[:, :, logs.shape[2] // 2, None]
        return ((q * (logs - middle).exp()) @ (k * (middle - logs).exp()).transpose(-1, -2)) * mask.exp()
    return (q @ k.transpose(-1, -2)) * (logs[..., :, None] - logs[..., None, :] + mask).exp()


def recurrent(chunk, kind, is_delta):
    """y of q, k, v [B · H, T, D], decay and beta, where there are, [B · H, T] or [B · H, T, D]."""
    lower = torch.full((chunk, chunk), -math.inf).triu_(1)
    strict = torch.full((chunk, chunk), -math.inf).triu_(0)
    unit = torch.eye(chunk)

    def forward(q, k, v, *rest):
        q, k, v = (chunked(x, chunk) for x in (q / math.sqrt(q.shape[-1]), k, v))
        rest = [chunked(x, chunk) for x in rest]
        logs = None if kind == "none" else rest[0].cumsum(2)
        is_vector = kind == "vector"
        within = scores(q, k, logs, is_vector, lower)
        if logs is None:
            read, written, whole = (q, k), k, None
        else:
            rows = logs if is_vector else logs[..., None]
            start, last = rows.exp(), rows[:, :, -1:]
            read, written, whole = (q * start, k * start), k * (last - rows).exp(), last.exp().transpose(-1, -2)
        u, w = v, None
        if is_delta:
            beta = rest[-1][..., None]
            system = unit + beta * scores(k, k, logs, is_vector, strict)
            both = torch.linalg.solve_triangular(system, torch.cat([beta * v, beta * read[1]], -1), upper=False, unitriangular=True)
            u, w = both.split((v.shape[-1], k.shape[-1]), -1)
        # Taken apart once: the gradient of an index into all chunks is as large as all of them.
        parts = [x.unbind(1) if x is not None else (None,) * q.shape[1] for x in (u, w, read[0], written, whole, within if is_delta else within @ u)]
        state, outputs = q.new_zeros(q.shape[0], k.shape[-1], v.shape[-1]), []
        for update, erased, reader, writer, faded, inner in zip(*parts):
            if is_delta:
                update = update - erased @ state
                inner = inner @ update
            outputs.append(inner + reader @ state)
            state = (state if faded is None else state * faded) + writer.transpose(-1, -2) @ update
        return torch.stack(outputs, 1).flatten(1, 2)

    return forward


def operands_of(kind, is_delta, heads, context, dim):
    """Keys of length about 1, mild decays."""
    unit = torch.nn.functional.normalize
    operands = [unit(torch.randn(heads, context, dim), dim=-1), unit(torch.randn(heads, context, dim), dim=-1), torch.randn(heads, context, dim)]
    if kind == "constant":
        operands.append((-0.03 * torch.rand(heads, 1)).expand(heads, context).clone())
    elif kind != "none":
        operands.append(-0.1 * torch.rand(heads, context, *((dim,) if kind == "vector" else ())))
    if is_delta:
        operands.append(torch.rand(heads, context))
    return operands


def run(args):
    """Milliseconds of each decay and rule at each shape (context, batch, heads, headDim)."""
    cases = []
    for context, batch, heads, dim in args.shapes:
        for kind in args.decays:
            for is_delta in (False, True):
                operands = operands_of(kind, is_delta, batch * heads, context, dim)
                # A constant decay is not trained.
                operands = [x.requires_grad_(not (kind == "constant" and i == 3)) for i, x in enumerate(operands)]
                trained = [x for x in operands if x.requires_grad]
                head = recurrent(args.chunk, kind, is_delta)
                constant = [x for x in operands if not x.requires_grad]

                def form(*given, head=head, constant=constant):
                    return head(*given[:3], *constant, *given[3:])
                forward, backward = measure(form, trained, torch.ones(batch * heads, context, dim))
                cases.append(dict(context=context, batch=batch, heads=heads, headDim=dim, decay=kind, delta=is_delta, forwardMs=forward, backwardMs=backward))
    return dict(torch=torch.__version__, threads=torch.get_num_threads(), chunk=args.chunk, cases=cases)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contexts", default="256,1024,4096", help="comma-separated, multiples of the chunk (default %(default)s)")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--heads", type=int, default=6)
    parser.add_argument("--head-dim", type=int, default=64)
    parser.add_argument("--chunk", type=int, default=64)
    parser.add_argument("--decays", default=",".join(DECAYS), help="comma-separated, of %(default)s")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    args = parser.parse_args()
    args.decays = args.decays.split(",")
    contexts = [int(c) for c in args.contexts.split(",")]
    if unknown := [d for d in args.decays if d not in DECAYS]:
        parser.error(f"unknown decay {unknown[0]}; expected {', '.join(DECAYS)}")
    if wrong := [c for c in contexts if c % args.chunk]:
        parser.error(f"context {wrong[0]} is not a multiple of the chunk, {args.chunk}")
    args.shapes = [(context, args.batch, args.heads, args.head_dim) for context in contexts]
    torch.manual_seed(0)
    torch.set_num_threads(args.threads)
    torch.set_default_dtype(torch.float32)
    print(json.dumps(run(args)))


if __name__ == "__main__":
    main()
