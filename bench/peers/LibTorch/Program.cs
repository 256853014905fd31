using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using NanoFold.Peers;
using TorchSharp;

// libtorch step --preset nano|small|gpt2 --threads N --steps N
// Prints one JSON object: tokensPerSecond (median), libtorch, threads; or, with exit code 3, one line that says why the native library does not load.
if (args.Length == 0 || args[0] != "step" || args.Length % 2 == 0)
{
    Console.Error.WriteLine("libtorch_peer: usage: libtorch_peer step [--preset nano|small|gpt2] [--threads N] [--steps N]");
    return 2;
}

string Option(string name, string otherwise) => Array.IndexOf(args, name) is > 0 and int at ? args[at + 1] : otherwise;
int Count(string name, int otherwise) => int.Parse(Option(name, otherwise.ToString(CultureInfo.InvariantCulture)), CultureInfo.InvariantCulture);
int threads = Count("--threads", 1);
// TorchSharp would say no more than that a type initializer failed.
string name = OperatingSystem.IsWindows() ? "LibTorchSharp.dll" : OperatingSystem.IsMacOS() ? "libLibTorchSharp.dylib" : "libLibTorchSharp.so";
try
{
    NativeLibrary.Load(Path.Combine(AppContext.BaseDirectory, name));
}
catch (Exception e) when (e is DllNotFoundException or BadImageFormatException)
{
    Console.Error.WriteLine($"libtorch_peer: {Reason(e.Message)}");
    return 3;
}

torch.InitializeDeviceType(DeviceType.CPU);
torch.set_num_threads(threads);
torch.random.manual_seed(1);
double tokensPerSecond = TrainStep.TokensPerSecond(Option("--preset", "nano"), Count("--steps", 8));
Console.WriteLine(JsonSerializer.Serialize(new { tokensPerSecond, libtorch = torch.__version__, threads }));
return 0;

// The loader's own words: what of the system it misses.
static string Reason(string message)
{
    string[] lines = [.. message.Split('\n').Select(line => line.Trim())];
    return lines.FirstOrDefault(line => line.Contains("GLIBC", StringComparison.Ordinal)) ?? lines[0];
}
