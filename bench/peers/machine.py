"""What the figures were measured on, in words."""
import os
import platform
import subprocess

from pairing import Failed, allowed_cores


def cpu_name():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            fields = dict(line.split(":", 1) for line in file.read().split("\n\n")[0].splitlines() if ":" in line)
        known = {key.strip(): value.strip() for key, value in fields.items()}
        model = f" (family {known['cpu family']}, model {known['model']})" if "cpu family" in known and "model" in known else ""
        return known.get("model name", platform.machine()) + model
    except OSError:
        return platform.processor() or platform.machine()


def output_of(*command):
    try:
        done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    except OSError as error:
        raise Failed(f"{' '.join(command)}\n{error}") from None
    if done.returncode != 0:
        raise Failed(f"{' '.join(command)}\nexit code {done.returncode}: {done.stderr.strip()}")
    return done.stdout.strip()


def describe(run, needs_torch):
    """CPU and versions; the first call of ours builds it."""
    run.ours("devices", threads=len(allowed_cores()) or os.cpu_count())
    torch = run.torch("check") if needs_torch else None
    return dict(
        cpu=cpu_name(), cores=len(allowed_cores()) or os.cpu_count(), system=platform.platform(), dotnet=output_of("dotnet", "--version"),
        torch=torch and f"{torch['torch']} with {torch['blas']}",
        openblas=run.openblas([])["openblas"])


def line(about, core):
    pinned = f", one-thread runs on core {core}" if core is not None else ", no run is bound to a core"
    torch = f"PyTorch {about['torch']}, " if about["torch"] else ""
    library = f"libtorch {about['libtorch']}, " if about.get("libtorch") else ""
    return f"{about['cpu']}, {about['cores']} cores{pinned}; .NET SDK {about['dotnet']}, {torch}{library}{about['openblas']}"
