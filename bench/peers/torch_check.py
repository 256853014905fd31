"""Whether the tuned decoder and the one that writes token by token compute what the plain one does."""
import torch

from torch_decode import Layer, rotation
from torch_model import PlainModel, TunedModel
from torch_train import VOCAB, preset

TOLERANCE = 1e-4


def difference(expected, actual):
    return ((expected - actual).norm() / expected.norm()).item()


def gradients(args, plain, tuned):
    """The largest relative difference of the gradients of all parameters."""
    c = preset(args)
    tokens = torch.randint(0, VOCAB, (c["batch"], c["context"] + 1))
    for model in (plain, tuned):
        model(tokens[:, :-1], tokens[:, 1:]).backward()
    expected = TunedModel(c, VOCAB)
    # The plain gradients in the tuned layout: swap them in as weights.
    with torch.no_grad():
        for p in plain.parameters():
            p.copy_(p.grad)
    expected.copy_from(plain)
    return max(difference(e, p.grad) for e, p in zip(expected.parameters(), tuned.parameters()))


@torch.no_grad()
def decoding(c, model, length=16):
    """Relative difference of the residual stream, token by token and all at once."""
    cos, sin = rotation(c)
    x = torch.randn(length, c["width"])
    layers = [Layer(c) for _ in model.blocks]
    whole = x
    for layer, block in zip(layers, model.blocks):
        layer.take(block)
        whole = block(whole, 1, model.cos[:, :, :length], model.sin[:, :, :length], model.mask[:, :length, :length])
    rows = []
    for at in range(length):
        row = x[at]
        for layer in layers:
            row = layer(row, at, cos[at], sin[at])
        rows.append(row)
    return difference(whole, torch.stack(rows))


def run(args):
    c = preset(args)
    plain, tuned = PlainModel(c, VOCAB), TunedModel(c, VOCAB)
    tuned.copy_from(plain)
    result = dict(decodingDifference=decoding(c, tuned), gradientDifference=gradients(args, plain, tuned))
    if not max(result.values()) < TOLERANCE:
        raise SystemExit(f"torch_peer: the decoders differ by more than {TOLERANCE}: {result}")
    return result
