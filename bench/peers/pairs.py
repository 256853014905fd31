#!/usr/bin/env python3
"""NanoFold beside its peers: runs ours and the peer by turns and prints the ratio of every figure.

    python3 bench/peers/pairs.py step-small             one figure, nine pairs
    python3 bench/peers/pairs.py all --pairs 3          everything

Ratios above 1 say that NanoFold is faster (or smaller). Each is the median of the ratios of pairs, with their quartiles; one thread runs on one
core, and the share of the time that they had it says how disturbed the machine was. Prints Markdown, then one line of JSON {machine, figures:
{NAME: {peer, coreShare (null without one-thread runs), rows: [{name, unit, ours, peer, ratio, lowerQuartile, upperQuartile, pairs}]}}}. Exit code 1 when a command fails, 2 for wrong usage.

Needs the .NET SDK 10, and in Debian: apt install python3-torch libopenblas0. Steps have a row more where libtorch, which NuGet has, loads.
"""
import argparse
import dataclasses
import json
import shutil
import statistics
import subprocess
import sys

import libtorch
import machine
from pairing import Failed, Row, Runner, allowed_cores, geometric_means, markdown

ADAMW = ("--set", "tokenizer=byte", "--set", "train.optimizer=adamw")
STEPS = dict(nano=40, small=3)
PLAIN = ("--model", "plain", "--malloc", "default")
SKINNY = (1, 2, 4, 8)
SKINNY_WEIGHTS = "gpt2"


def step_arguments(preset):
    return ("bench", "step", "--preset", preset, *ADAMW, "--steps", str(STEPS[preset]))


def our_step(run, preset, threads=1):
    return run.ours(*step_arguments(preset), threads=threads)


def peer_step(run, preset, threads=1, *options):
    return run.torch("step", "--preset", preset, "--steps", str(STEPS[preset]), *options, threads=threads)


def step(preset):
    def measure(run, pairs):
        tuned, plain = Row(f"step `{preset}`, PyTorch tuned", "tokens/s"), Row(f"step `{preset}`, PyTorch as a textbook writes it", "tokens/s")
        library = Row(f"step `{preset}`, libtorch from C#", "tokens/s")
        for _ in pairs:
            mine = our_step(run, preset)["tokensPerSecond"]
            tuned.add(mine, peer_step(run, preset)["tokensPerSecond"])
            plain.add(mine, peer_step(run, preset, 1, *PLAIN)["tokensPerSecond"])
            if run.has_libtorch:
                library.add(mine, run.libtorch("step", "--preset", preset, "--steps", str(STEPS[preset]))["tokensPerSecond"])
        return "PyTorch", [row.summary() for row in (tuned, plain, library) if row.ours]
    return measure


def step_two(run, pairs):
    beside_peer, beside_one = Row("2 threads; the better of the peer's 1 and 2", "tokens/s"), Row("2 threads; ours with 1", "tokens/s")
    for _ in pairs:
        two, peers = our_step(run, "small", 2)["tokensPerSecond"], [peer_step(run, "small", n)["tokensPerSecond"] for n in (2, 1)]
        beside_peer.add(two, max(peers))
        beside_one.add(two, our_step(run, "small", 1)["tokensPerSecond"])
    return "PyTorch (ours with 1)", [beside_peer.summary(), beside_one.summary()]


def products(run, pairs, sources, threads, keep=lambda case: True):
    """Every product that the commands `sources` list, ours and OpenBLAS's right after it."""
    rows = {}
    for _ in pairs:
        for source in sources:
            cases = [case for case in run.ours("bench", "gemm", *source, threads=threads)["cases"] if keep(case)]
            theirs = run.openblas(cases, threads)["cases"]
            for mine, other in zip(cases, theirs):
                form = f"{mine['name']} {mine['m']}×{mine['n']}×{mine['k']}"
                rows.setdefault(form, Row(form, "GFLOP/s")).add(mine["gflops"], other["gflops"])
    # A product that several commands list has more pairs than the others; all have the first ones.
    least = min(len(row.ratios) for row in rows.values())
    for row in rows.values():
        del row.ours[least:], row.peer[least:]
    return [*(row.summary() for row in rows.values()), geometric_means(list(rows.values()))]


def gemm(threads):
    def measure(run, pairs):
        return "OpenBLAS", products(run, pairs, [("--preset", preset) for preset in ("nano", "small", "gpt2")], threads)
    return measure


def gemm_skinny(run, pairs):
    sources = [("--preset", SKINNY_WEIGHTS, "--m", str(m)) for m in SKINNY]
    return "OpenBLAS", products(run, pairs, sources, 1, lambda case: case["name"] == "forward")


def attention(run, pairs):
    rows = {}
    for _ in pairs:
        cases = run.ours("bench", "attention")["cases"]
        shapes = ",".join("x".join(str(case[key]) for key in ("context", "batch", "heads", "headDim")) for case in cases)
        theirs = run.torch("attention", "--shapes", shapes)["cases"]
        for case in cases:
            same = [other for other in theirs if other["context"] == case["context"]]
            best = min(same, key=lambda other: other["forwardMs"] + other["backwardMs"])
            for what, time in (("forward", lambda c: c["forwardMs"]), ("forward + backward", lambda c: c["forwardMs"] + c["backwardMs"])):
                name = f"{what}, context {case['context']}"
                rows.setdefault(name, Row(name, "ms", "less")).add(time(case), time(best))
    both = [row for name, row in rows.items() if "backward" in name]
    return "PyTorch", [*(row.summary() for row in rows.values()), geometric_means(both)]


def decode(run, pairs):
    row = Row("decode `gpt2`, batch 1", "tokens/s")
    for _ in pairs:
        mine = run.ours("bench", "decode", "--preset", "gpt2", "--set", "tokenizer=byte")
        other = run.torch("decode", "--preset", "gpt2", "--prompt-tokens", str(mine["promptTokens"]), "--tokens", str(mine["tokens"]))
        row.add(mine["tokensPerSecond"], other["tokensPerSecond"])
    return "PyTorch", [row.summary()]


def memory(run, pairs):
    """Ours is the whole process, its runtime included; of PyTorch only what came after it was loaded, with whichever malloc takes less."""
    rows = {preset: Row(f"peak of step `{preset}`: ours in all, the peer's growth", "MB", "less") for preset in STEPS}
    for _ in pairs:
        for preset, row in rows.items():
            mine = our_step(run, preset)["peakRssBytes"]
            theirs = min(peer_step(run, preset, 1, "--malloc", malloc)["peakRssGrowthBytes"] for malloc in ("keep", "default"))
            row.add(mine / 1e6, theirs / 1e6)
    return "PyTorch", [row.summary() for row in rows.values()]


FIGURES = {
    "step-small": step("small"), "step-nano": step("nano"), "step-small-2": step_two, "gemm": gemm(1), "gemm-2": gemm(2),
    "gemm-skinny": gemm_skinny, "attention": attention, "decode": decode, "memory": memory,
}


# The figures that the second peer has a row in.
LIBTORCH = ("step-small", "step-nano")


def progress(figure, pairs):
    for i in range(pairs):
        print(f"\r{figure}: pair {i + 1} of {pairs} ", end="" if i + 1 < pairs else "\n", file=sys.stderr, flush=True)
        yield i


def peer_python(given):
    """An interpreter that has PyTorch."""
    candidates = [given] if given else [sys.executable, "/usr/bin/python3", shutil.which("python3")]
    for python in filter(None, candidates):
        try:
            if subprocess.run([python, "-c", "import torch"], capture_output=True, check=False).returncode == 0:
                return python
        except OSError:
            pass
    raise Failed(f"import torch\nPyTorch was not found by {', '.join(filter(None, candidates))}; in Debian: apt install python3-torch libopenblas0; or --python P names one that has it")


def count(text):
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"'{text}' is no positive whole number")
    return int(text)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figure", choices=[*FIGURES, "all"])
    parser.add_argument("--pairs", type=count, default=9, metavar="N", help="how often both run (default 9)")
    parser.add_argument("--core", type=int, metavar="N", help="the core of one-thread runs (the last allowed one)")
    parser.add_argument("--python", metavar="P", help="a Python that has PyTorch (this one or /usr/bin/python3)")
    args = parser.parse_args()
    cores = allowed_cores()
    if args.core is not None and args.core not in cores:
        parser.error(f"--core {args.core}: cores of this process are {', '.join(map(str, cores)) or 'not known to this system'}")
    args.core = args.core if args.core is not None else cores[-1] if cores else None
    return args


def main():
    args = arguments()
    names = [*FIGURES] if args.figure == "all" else [args.figure]
    try:
        needs_torch = any(not name.startswith("gemm") for name in names)
        run = Runner(args.core, peer_python(args.python) if needs_torch else sys.executable)
        version, reason = libtorch.prepare(run) if any(name in LIBTORCH for name in names) else (None, None)
        if reason:
            print(f"pairs: libtorch is left out: {reason}", file=sys.stderr, flush=True)
        run = dataclasses.replace(run, has_libtorch=version is not None)
        about = dict(machine.describe(run, needs_torch), libtorch=version)
        print(machine.line(about, args.core), end="\n\n", flush=True)
        figures = {}
        for name in names:
            run.core_shares.clear()
            peer, rows = FIGURES[name](run, progress(name, args.pairs))
            share = statistics.median(run.core_shares) if run.core_shares else None
            print(f"### {name}\n\n{markdown(rows, peer)}\n", flush=True)
            if share is not None:
                print(f"One-thread runs had their core for {100 * share:.0f} % of the time.\n", flush=True)
            figures[name] = dict(peer=peer, rows=rows, coreShare=share)
        print(json.dumps(dict(machine=about, figures=figures)))
    except Failed as error:
        sys.exit(f"pairs: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
