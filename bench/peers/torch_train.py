"""Training steps and a training run of the decoders in `torch_model`."""
import math
import resource
import statistics
import sys
import time

import torch

from torch_model import PRESETS, PlainModel, TunedModel

VOCAB = 256


def preset(args):
    c = dict(PRESETS[args.preset])
    c["batch"] = args.batch or c["batch"]
    return c


def model_of(args, c):
    return (PlainModel if args.model == "plain" else TunedModel)(c, VOCAB)


def optimizer_of(model, args):
    decayed = [p for p in model.parameters() if p.dim() == 2]
    plain = [p for p in model.parameters() if p.dim() < 2]
    groups = [dict(params=decayed, weight_decay=0.1), dict(params=plain, weight_decay=0.0)]
    return torch.optim.AdamW(groups, lr=args.lr, betas=(0.9, 0.99), foreach=args.model == "tuned")


def train_step(model, optimizer, tokens, targets):
    optimizer.zero_grad(set_to_none=True)
    loss = model(tokens, targets)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()


def peak_resident_bytes():
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def step(args):
    loaded = peak_resident_bytes()
    c = preset(args)
    model = model_of(args, c)
    optimizer = optimizer_of(model, args)
    tokens = torch.randint(0, VOCAB, (c["batch"], c["context"] + 1))
    seconds = []
    for i in range(args.steps + 3):
        started = time.perf_counter()
        train_step(model, optimizer, tokens[:, :-1], tokens[:, 1:])
        if i >= 3:
            seconds.append(time.perf_counter() - started)
    peak = peak_resident_bytes()
    return dict(tokensPerSecond=c["batch"] * c["context"] / statistics.median(seconds), peakRssBytes=peak, peakRssGrowthBytes=peak - loaded)


def train(args):
    c = preset(args)
    with open(args.data, "rb") as file:
        data = torch.frombuffer(bytearray(file.read()), dtype=torch.uint8).long()
    cut = int(0.9 * len(data))
    text, held = data[:cut], data[cut:]
    model = model_of(args, c)
    optimizer = optimizer_of(model, args)
    started = time.perf_counter()
    for i in range(args.steps):
        warm = min(1.0, (i + 1) / 100)
        factor = warm * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * max(0, i - 100) / max(1, args.steps - 100))))
        for group in optimizer.param_groups:
            group["lr"] = args.lr * factor
        at = torch.randint(0, len(text) - c["context"], (c["batch"],))
        windows = torch.stack([text[i:i + c["context"] + 1] for i in at])
        train_step(model, optimizer, windows[:, :-1], windows[:, 1:])
    seconds = time.perf_counter() - started
    total = targets = 0
    with torch.no_grad():
        for i in range(0, len(held) - 1, c["context"]):
            window = held[i:i + c["context"] + 1]
            total += model(window[None, :-1], window[None, 1:]).item() * (len(window) - 1)
            targets += len(window) - 1
    return dict(validationLoss=total / targets, seconds=seconds, tokensPerSecond=args.steps * c["batch"] * c["context"] / seconds)
