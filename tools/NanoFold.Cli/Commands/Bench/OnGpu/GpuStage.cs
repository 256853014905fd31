namespace NanoFold.Cli.Commands.Bench.OnGpu;

/// <summary>A stage of a session: a process, how long it may take, what it is for.</summary>
/// <param name="Name">Of its files.</param>
/// <param name="Seconds">After which it is ended.</param>
/// <param name="Words">Of <see cref="Verb"/>; or, with <see cref="Tool"/>, of that program.</param>
internal sealed record GpuStage(string Name, int Seconds, params string[] Words)
{
    private static readonly string[] s_devices = ["devices"];

    /// <summary>Of this program.</summary>
    public string[] Verb { get; init; } = ["bench", "gpu"];

    /// <summary>A program that is started in place of this one, with <see cref="Words"/>, and where <see cref="Around"/> holds around it.</summary>
    public string? Tool { get; init; }

    /// <summary>Of a tool: this program, with these words of <c>bench gpu</c>, is what it watches.</summary>
    public string[] Around { get; init; } = [];

    /// <summary>Variables that are set for it.</summary>
    public (string Name, string Value)[] Set { get; init; } = [];

    /// <summary>Whether it measures PyTorch.</summary>
    public bool IsPeer => Tool == "python3";

    /// <summary>The most important first: the last ones may find no time left.</summary>
    public static IReadOnlyList<GpuStage> Of(string folder, bool isDry, string? data)
    {
        string[] own = isDry ? ["--alone", "--dry-run"] : ["--alone"], curve = data is null ? [] : ["--data", data];
        // Without a card the CPU is checked in its place, in one case.
        string[] device = ["--check", "--device", isDry ? Devices.Cpu : Devices.Cuda], training = isDry ? [.. device, "--only", "fp32"] : device;
        (string, string)[] warpgroups = [("NANOFOLD_WGMMA", "1")];
        const string Peer = "bench/peers/gpu_peer.py";
        GpuStage[] all =
        [
            new("training", 60, training) { Verb = s_devices },
            new("programs", 45, ["--parts", "programs", .. own]),
            new("checks", 60, ["--parts", "checks", "--dump", Path.Combine(folder, "dumps"), .. own]),
            new("training-wgmma", 60, training) { Verb = s_devices, Set = warpgroups },
            new("repeats", 45, ["--parts", "repeats", .. own]),
            new("tune", 75, ["--parts", "tune", .. own]),
            new("products", 60, ["--parts", "products", .. own]),
            new("products-wgmma", 90, ["--parts", "tune,products", .. own]) { Set = warpgroups },
            new("peer-products", 60, Peer, "gemm") { Tool = "python3" },
            new("attention", 40, ["--parts", "attention", .. own]),
            new("repeats-wgmma", 45, ["--parts", "repeats", .. own]) { Set = warpgroups },
            new("attention-wgmma", 40, ["--parts", "attention", .. own]) { Set = warpgroups },
            new("peer-attention", 40, Peer, "attention") { Tool = "python3" },
            new("steps", 75, ["--parts", "steps", .. own]),
            new("steps-wgmma", 75, ["--parts", "steps", .. own]) { Set = warpgroups },
            new("steps-plain", 75, ["--parts", "steps", .. own]) { Set = [("NANOFOLD_GPU_STEP", "plain")] },
            new("steps-joined", 75, ["--parts", "steps", .. own]) { Set = [("NANOFOLD_GPU_STEP", "joined")] },
            new("steps-early", 75, ["--parts", "steps", .. own]) { Set = [("NANOFOLD_EARLY_LAUNCH", "1")] },
            new("steps-slices", 75, ["--parts", "steps", .. own]) { Set = [("NANOFOLD_GPU_SLICES", "joined")] },
            Step("gpt2", 16, 50304),
            Step("small", 64, 256),
            Step("nano", 12, 256),
            new("curves", 60, ["--parts", "curves", .. own, .. curve]),
            new("memcheck", 60, "--tool", "memcheck") { Tool = "compute-sanitizer", Around = ["--parts", "checks", "--only", "72x88x40", .. own] },
            new("counters", 60, "--set", "full", "--kernel-name", "regex:gemm", "--launch-skip", "4", "--launch-count", "2")
            {
                Tool = "ncu", Around = ["--parts", "products", .. own], Set = warpgroups,
            },
            new("kernels", 60, ["--parts", "kernels", .. own]),
            new("training-kinds", 180, [.. device, "--kinds", "--only", isDry ? "mixer=none" : "="]) { Verb = s_devices },
        ];

        // A simulator has neither PyTorch beside it nor warpgroups, and on a busy machine it takes its time.
        return isDry ? [.. all.Where(s => !s.IsPeer && (s.Set.Length == 0 || s.Tool is not null)).Select(s => s with { Seconds = 10 * s.Seconds })] : all;

        GpuStage Step(string preset, int batch, int vocab)
            => new($"peer-step-{preset}", 90, Peer, "step", "--preset", preset, "--batch", $"{batch}", "--vocab", $"{vocab}", "--precision", "bf16") { Tool = "python3" };
    }
}
