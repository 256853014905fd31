"""The second peer: libtorch from the NuGet package TorchSharp-cpu, called from C# (bench/peers/LibTorch), where its native library loads."""
import subprocess

from pairing import ROOT, Failed

PROJECT = "bench/peers/LibTorch/LibTorch.csproj"
MINUTES_TO_BUILD = 10


def prepare(run):
    """(version, None), or (None, why it is left out)."""
    try:
        built = subprocess.run(
            ["dotnet", "build", PROJECT, "-c", "Release", "-v", "q", "--nologo"], capture_output=True, encoding="utf-8", cwd=ROOT,
            timeout=60 * MINUTES_TO_BUILD, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, str(error)
    if built.returncode != 0:
        errors = [line for line in built.stdout.splitlines() if "error" in line]
        return None, f"{PROJECT} does not build: {(errors or ['no error was named'])[0].strip()}"
    try:
        return run.libtorch("step", "--steps", "1")["libtorch"], None
    except Failed as error:
        return None, str(error).splitlines()[-1]
