using System.Text.Json;
using System.Text.Json.Serialization;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Engine.Benchmarks;

/// <summary>Timings of kernels in a file, of one build, in one session or several, to be compared with another build's.</summary>
/// <param name="Isa">The instruction-set path.</param>
/// <param name="Threads">How many worked.</param>
/// <param name="Processor">Its name.</param>
/// <param name="Cases">One for every case, pass and session.</param>
public sealed record KernelBaseline(string Isa, int Threads, string Processor, KernelSamples[] Cases)
{
    private static readonly JsonSerializerOptions s_json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        Converters = { FiniteJson.Converter },
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    };

    /// <summary>Which kernels were timed: builds of the same sources have the same. Files of older versions have none.</summary>
    public string? Build { get; init; }

    /// <summary>The build that is running.</summary>
    public static string ThisBuild => typeof(CpuBackend).Assembly.ManifestModule.ModuleVersionId.ToString("N");

    /// <summary>The number of a session that is added.</summary>
    [JsonIgnore]
    public int NextSession => Cases.Length == 0 ? 0 : Cases.Max(c => c.Session) + 1;

    /// <summary>Where it was taken, for people.</summary>
    [JsonIgnore]
    public string Machine => $"{Processor}, {Isa}, {Threads} {(Threads == 1 ? "thread" : "threads")}";

    /// <exception cref="UserException">The file cannot be read or is no baseline.</exception>
    public static KernelBaseline Read(string path)
    {
        try
        {
            using FileStream file = File.OpenRead(path);
            KernelBaseline? baseline = JsonSerializer.Deserialize<KernelBaseline>(file, s_json);
            return baseline is not null && baseline.Cases.All(IsUsable)
                ? baseline
                : throw new UserException($"{path}: is no kernel baseline: a case without a name or without samples; write it anew with --save");
        }
        catch (JsonException e)
        {
            throw new UserException($"{path}: is no kernel baseline ({e.Path ?? "$"}, line {e.LineNumber + 1}); write it anew with --save", e);
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            throw FileFault.Describe("cannot read", path, e);
        }
    }

    /// <exception cref="UserException">The file cannot be written.</exception>
    public void Write(string path) => OutputFile.Write(path, stream => JsonSerializer.Serialize(stream, this, s_json));

    /// <summary>The samples of a case's pass, one a session, in their order.</summary>
    public IReadOnlyList<KernelSamples> Find(string name, string phase) => [.. Cases.Where(c => c.Name == name && c.Phase == phase).OrderBy(c => c.Session)];

    private static bool IsUsable(KernelSamples? samples) =>
        samples is { Name.Length: > 0, SamplesMs.Length: > 0, YardstickMs.Length: > 0 }
        && samples.SamplesMs.Concat(samples.YardstickMs).All(ms => ms > 0 && double.IsFinite(ms));
}
