"""Running two programs by turns, and what their paired ratios say."""
import json
import math
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / "bench" / "peers"
SECONDS_PER_COMMAND = 600


class Failed(Exception):
    """A command that did not do what it was asked for; the message names it."""


def allowed_cores():
    """Cores that this process may run on; none where the system has no such notion."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


@dataclass(frozen=True)
class Runner:
    """Starts commands from the repository root; those of one thread on one core. `core_shares` says of each how much of its time it had that core."""

    core: int | None
    python: str
    core_shares: list = field(default_factory=list)
    has_libtorch: bool = False

    def ours(self, *args, threads=1):
        launcher = "nanofold.cmd" if os.name == "nt" else "./nanofold"
        return self._run([launcher, *args, "--threads", str(threads), "--json"], threads)

    def torch(self, *args, threads=1):
        return self._run([self.python, "bench/peers/torch_peer.py", *args, "--threads", str(threads)], threads)

    def libtorch(self, *args, threads=1):
        return self._run(["dotnet", "bench/peers/LibTorch/bin/Release/net10.0/libtorch_peer.dll", *args, "--threads", str(threads)], threads)

    def openblas(self, cases, threads=1):
        return self._run([sys.executable, "bench/peers/openblas_peer.py", "--threads", str(threads)], threads, json.dumps(dict(cases=cases)))

    def _run(self, command, threads, text=None):
        pin = (lambda: os.sched_setaffinity(0, {self.core})) if threads == 1 and self.core is not None else None
        shown = " ".join(command)
        started, before = time.perf_counter(), os.times()
        try:
            done = subprocess.run(
                command, input=text, capture_output=True, encoding="utf-8", cwd=ROOT, timeout=SECONDS_PER_COMMAND, preexec_fn=pin, check=False)
        except subprocess.TimeoutExpired:
            raise Failed(f"{shown}\ntook more than {SECONDS_PER_COMMAND} s") from None
        except OSError as error:
            raise Failed(f"{shown}\n{error}") from None
        if done.returncode != 0:
            raise Failed(f"{shown}\nexit code {done.returncode}: {(done.stderr or done.stdout).strip()[-2000:]}")
        if threads == 1:
            now = os.times()
            used = now.children_user - before.children_user + now.children_system - before.children_system
            self.core_shares.append(used / (time.perf_counter() - started))
        try:
            return json.loads(done.stdout.splitlines()[-1])
        except (IndexError, ValueError):
            raise Failed(f"{shown}\nits last line is no JSON: {done.stdout.strip()[-200:]}") from None


@dataclass
class Row:
    """A figure of both sides, pair by pair. `better` says whether more or less of the unit is better; ratios above 1 are ours."""

    name: str
    unit: str
    better: str = "more"
    ours: list = field(default_factory=list)
    peer: list = field(default_factory=list)

    def add(self, ours, peer):
        self.ours.append(ours)
        self.peer.append(peer)

    @property
    def ratios(self):
        return [o / p if self.better == "more" else p / o for o, p in zip(self.ours, self.peer)]

    def summary(self):
        low, high = quartiles(self.ratios)
        return dict(
            name=self.name, unit=self.unit, ours=statistics.median(self.ours), peer=statistics.median(self.peer),
            ratio=statistics.median(self.ratios), lowerQuartile=low, upperQuartile=high, pairs=len(self.ratios))


def quartiles(values):
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def geometric_means(rows):
    """Over all rows, pair by pair, as a row of ratios."""
    columns = zip(*(row.ratios for row in rows))
    means = [math.exp(statistics.fmean(map(math.log, column))) for column in columns]
    low, high = quartiles(means)
    return dict(name=f"geometric mean of {len(rows)}", ratio=statistics.median(means), lowerQuartile=low, upperQuartile=high, pairs=len(means))


def number(value):
    return "" if value is None else f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def markdown(summaries, peer):
    lines = [f"| | unit | NanoFold | {peer} | ratio | quartiles | n |", "|---|---|---|---|---|---|---|"]
    for s in summaries:
        cells = (s["name"], s.get("unit", ""), number(s.get("ours")), number(s.get("peer")), f"{s['ratio']:.2f}",
                 f"{s['lowerQuartile']:.2f}–{s['upperQuartile']:.2f}", s["pairs"])
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)
