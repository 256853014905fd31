using System.Diagnostics;
using System.Text.Json.Nodes;

namespace NanoFold.Cli.Commands.Bench.OnGpu;

/// <summary>PyTorch on the same device, through the repository's script; each question is one process.</summary>
internal sealed class GpuPeer
{
    private const string Script = "bench/peers/gpu_peer.py";

    private readonly Output _output;

    private GpuPeer(Output output) => _output = output;

    /// <summary>The peer, or null, with a note, where the script or PyTorch is missing.</summary>
    public static GpuPeer? Find(Output output)
    {
        if (!File.Exists(Script))
        {
            output.Note($"PyTorch is left out: {Script} is not here");
            return null;
        }

        if (Start(["-c", "import torch; assert torch.cuda.is_available()"], out _) != 0)
        {
            output.Note("PyTorch is left out: python3 has no torch that sees a GPU");
            return null;
        }

        return new GpuPeer(output);
    }

    /// <summary>What the script printed, or null, with a note, where it failed.</summary>
    public JsonObject? Ask(params string[] arguments)
    {
        int code = Start([Script, .. arguments], out string text);
        if (code == 0 && text.Split('\n', StringSplitOptions.RemoveEmptyEntries) is [.., var last] && JsonNode.Parse(last) is JsonObject answer)
        {
            return answer;
        }

        _output.Note($"PyTorch failed: gpu_peer.py {string.Join(' ', arguments)}");
        return null;
    }

    private static int Start(string[] arguments, out string text)
    {
        text = "";
        try
        {
            var start = new ProcessStartInfo("python3", arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
            using Process process = Process.Start(start)!;
            Task<string> errors = process.StandardError.ReadToEndAsync();
            text = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            _ = errors.Result;
            return process.ExitCode;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return -1;
        }
    }
}
