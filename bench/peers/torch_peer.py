#!/usr/bin/env python3
"""What PyTorch takes for what `nanofold bench step|attention|decode` and `nanofold train` do: the same decoder, float32, eager mode.

    python3 bench/peers/torch_peer.py step      --preset small --threads 1
    python3 bench/peers/torch_peer.py attention --shapes 256x16x6x64,512x8x6x64     (context x batch x heads x head dimension)
    python3 bench/peers/torch_peer.py decode    --preset gpt2 --prompt-tokens 512 --tokens 64
    python3 bench/peers/torch_peer.py train     --preset nano --data TEXT --steps 2000
    python3 bench/peers/torch_peer.py check     --preset nano        (whether the tuned decoders compute what the plain one does)

Prints one JSON object: step tokensPerSecond (median), peakRssBytes, peakRssGrowthBytes (since PyTorch was loaded); attention cases
[{context, batch, heads, headDim, variant, forwardMs, backwardMs}]; decode tokensPerSecond (median); train validationLoss, seconds,
tokensPerSecond; check decodingDifference, gradientDifference (relative); with torch, threads, blas (openblas, mkl, …; reference is refused) and blasGflops. Needs PyTorch (Debian: python3-torch; its BLAS libopenblas0).
"""
import argparse
import json
import os
import sys

# Blocks that were freed stay with the process, in huge pages where the system grants them: by default glibc hands large ones back and
# faults them in again at every step.
KEEP_MEMORY = ":".join(f"glibc.malloc.{name}" for name in (
    "hugetlb=1", "trim_threshold=4000000000", "mmap_threshold=4000000000", "top_pad=67108864"))


def start_over_with(settings):
    """Thread counts of OpenMP and OpenBLAS, and malloc's settings, are read once, when a process starts."""
    if any(os.environ.get(name) != value for name, value in settings.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **settings})


def shapes(text):
    try:
        result = [tuple(int(part) for part in shape.split("x")) for shape in text.split(",")]
    except ValueError:
        result = []
    if not result or any(len(shape) != 4 or min(shape) < 1 for shape in result):
        raise argparse.ArgumentTypeError(f"'{text}' is no list of CONTEXTxBATCHxHEADSxDIM")
    return result


def count(text):
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"'{text}' is no positive whole number")
    return int(text)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["step", "attention", "decode", "train", "check"])
    parser.add_argument("--preset", choices=["nano", "small", "gpt2"], default="nano")
    parser.add_argument("--model", choices=["plain", "tuned"], default="tuned", help="as a textbook writes it, or with the fewest passes over memory")
    parser.add_argument("--malloc", choices=["default", "keep"], default="keep", help="glibc's settings, or memory that is never handed back")
    parser.add_argument("--threads", type=count, default=1)
    parser.add_argument("--batch", type=count, help="the preset's if not given")
    parser.add_argument("--steps", type=count, default=8)
    parser.add_argument("--shapes", type=shapes, default=[(t, 4096 // t, 6, 64) for t in (256, 512, 1024, 2048, 4096)])
    parser.add_argument("--prompt-tokens", type=count, default=512)
    parser.add_argument("--tokens", type=count, default=64)
    parser.add_argument("--data", help="train: a text file")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--reference-blas", action="store_true", help="measure PyTorch on the reference BLAS too, which is refused otherwise")
    args = parser.parse_args()
    if args.what == "train" and not args.data:
        parser.error("train needs --data TEXT")
    return args


def main():
    args = arguments()
    threads = str(args.threads)
    start_over_with({
        "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads, **({"GLIBC_TUNABLES": KEEP_MEMORY} if args.malloc == "keep" else {})})
    try:
        import torch
    except ImportError:
        sys.exit("torch_peer: PyTorch is missing for this Python; in Debian: apt install python3-torch libopenblas0, then /usr/bin/python3")
    torch.manual_seed(1)
    torch.set_num_threads(args.threads)
    import torch_blas
    blas = torch_blas.require(args.reference_blas)
    import torch_attention
    import torch_check
    import torch_decode
    import torch_train
    verbs = dict(step=torch_train.step, train=torch_train.train, attention=torch_attention.run, decode=torch_decode.run, check=torch_check.run)
    print(json.dumps({**verbs[args.what](args), "torch": torch.__version__, **blas, "threads": args.threads}))


if __name__ == "__main__":
    main()
