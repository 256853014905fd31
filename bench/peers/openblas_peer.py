#!/usr/bin/env python3
"""The rate of OpenBLAS's sgemm for the products of `nanofold bench gemm`, called directly (for one row the better of sgemm and sgemv).

    nanofold bench gemm --preset small --json | python3 bench/peers/openblas_peer.py --threads 1

Reads {"cases": [{m, n, k, transA, transB}]} from standard input and prints the same with gflops (median), threads and the library.
Needs OpenBLAS (Debian: libopenblas0); no PyTorch, no NumPy.
"""
import argparse
import array
import ctypes
import ctypes.util
import json
import statistics
import sys
import time

ROW_MAJOR, PLAIN, TRANSPOSED = 101, 111, 112
SECONDS_PER_SAMPLE, SECONDS_PER_CASE = 0.02, 0.3
FEWEST, MOST = 3, 15
CACHE_LINE = 64


def load():
    for name in ("libopenblas.so.0", ctypes.util.find_library("openblas")):
        try:
            library = ctypes.CDLL(name) if name else None
        except OSError:
            continue
        if library:
            library.openblas_get_config.restype = ctypes.c_char_p
            library.cblas_sgemm.restype = library.cblas_sgemv.restype = None
            return library
    sys.exit("openblas_peer: libopenblas.so.0 was not found; in Debian: apt install libopenblas0")


class Matrix:
    """Floats from a cache line on; every element is set, so that its memory is there."""

    def __init__(self, rows, columns):
        self.columns = columns
        pattern = array.array("f", [i % 17 * 0.125 - 1 for i in range(17)])
        data = (pattern * (rows * columns // 17 + 1))[:rows * columns].tobytes()
        self._memory = ctypes.create_string_buffer(len(data) + CACHE_LINE)
        address = ctypes.addressof(self._memory)
        self.pointer = ctypes.c_void_p(address + -address % CACHE_LINE)
        ctypes.memmove(self.pointer, data, len(data))


def measure(library, m, n, k, trans_a, trans_b):
    a = Matrix(k, m) if trans_a else Matrix(m, k)
    b = Matrix(n, k) if trans_b else Matrix(k, n)
    y = Matrix(m, n)
    order, one, zero = ctypes.c_int(ROW_MAJOR), ctypes.c_float(1), ctypes.c_float(0)
    call = (order, *(ctypes.c_int(TRANSPOSED if t else PLAIN) for t in (trans_a, trans_b)), *(ctypes.c_int(i) for i in (m, n, k)), one,
            a.pointer, ctypes.c_int(a.columns), b.pointer, ctypes.c_int(b.columns), zero, y.pointer, ctypes.c_int(n))
    seconds = median_seconds(library.cblas_sgemm, call)
    if m == 1 and trans_b and not trans_a:
        # One row: y = W x, for which the library has a routine of its own.
        vector = (order, ctypes.c_int(PLAIN), ctypes.c_int(n), ctypes.c_int(k), one, b.pointer, ctypes.c_int(k), a.pointer, ctypes.c_int(1),
                  zero, y.pointer, ctypes.c_int(1))
        seconds = min(seconds, median_seconds(library.cblas_sgemv, vector))
    return 2.0 * m * n * k / seconds / 1e9


def median_seconds(routine, call):
    def seconds(calls):
        started = time.perf_counter()
        for _ in range(calls):
            routine(*call)
        return (time.perf_counter() - started) / calls

    seconds(1)
    calls = max(1, min(1000, int(SECONDS_PER_SAMPLE / seconds(1))))
    samples, started = [], time.perf_counter()
    while len(samples) < FEWEST or (len(samples) < MOST and time.perf_counter() - started < SECONDS_PER_CASE):
        samples.append(seconds(calls))
    return statistics.median(samples)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    library = load()
    library.openblas_set_num_threads(args.threads)
    cases = [
        {**case, "threads": args.threads, "gflops": measure(library, case["m"], case["n"], case["k"], case["transA"], case["transB"])}
        for case in json.load(sys.stdin)["cases"]]
    print(json.dumps(dict(cases=cases, openblas=library.openblas_get_config().decode())))


if __name__ == "__main__":
    main()
