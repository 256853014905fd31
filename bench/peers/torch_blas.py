"""Which library multiplies matrices for PyTorch: a figure of a peer on the reference BLAS says nothing of the peer."""
import os
import sys
import time

import torch

SIZE = 384
MAPS = "/proc/self/maps"
# Names within a path, from the surest: PyTorch's own builds carry MKL within themselves.
KNOWN = ("openblas", "mkl_rt", "libmkl", "blis", "atlas", "armpl")
REMEDY = "apt install libopenblas0 (update-alternatives --config libblas.so.3-$(uname -m)-linux-gnu chooses among several)"


def rate():
    """GFLOP/s of a product that fits a cache, the best of a few."""
    a = torch.randn(SIZE, SIZE)
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        a @ a
        best = min(best, time.perf_counter() - started)
    return 2 * SIZE ** 3 / best / 1e9


def libraries(maps):
    """Paths of shared objects that are loaded."""
    return sorted({line.split(maxsplit=5)[5].strip() for line in maps.splitlines() if ".so" in line and len(line.split(maxsplit=5)) == 6})


def name_of(paths):
    """openblas, mkl, … or reference; None where nothing tells."""
    paths = [os.path.realpath(path) for path in paths]
    for known in KNOWN:
        if any(known in path for path in paths):
            return known.removeprefix("lib").removesuffix("_rt")
    return "reference" if any(os.path.basename(path).startswith("libblas.so") for path in paths) else None


def used():
    """{blas, blasGflops} of this process."""
    gflops = rate()
    try:
        with open(MAPS, encoding="utf-8", errors="replace") as file:
            name = name_of(libraries(file.read()))
    except OSError:
        name = None
    return dict(blas=name or ("mkl" if torch.backends.mkl.is_available() else "unknown"), blasGflops=round(gflops, 1))


def require(allows_reference):
    """Ends the program where the library is the reference BLAS, unless that is what is to be measured."""
    blas = used()
    if blas["blas"] == "reference":
        said = f"PyTorch multiplies with the reference BLAS ({blas['blasGflops']} GFLOP/s), which no user would wait for: {REMEDY}"
        if not allows_reference:
            sys.exit(f"torch_peer: {said}; or --reference-blas measures it all the same")
        print(f"torch_peer: WARNING: {said}", file=sys.stderr)
    return blas
