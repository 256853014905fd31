using System.Text.Json;
using System.Text.Json.Serialization;

namespace NanoFold.Engine.Benchmarks;

/// <summary>Timings of kernels in a file, to be compared with later ones.</summary>
/// <param name="Isa">The instruction-set path.</param>
/// <param name="Threads">How many worked.</param>
/// <param name="Processor">Its name.</param>
/// <param name="Cases">One for every case and pass.</param>
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

    /// <summary>The samples of a case's pass, or null.</summary>
    public KernelSamples? Find(string name, string phase) => Array.Find(Cases, c => c.Name == name && c.Phase == phase);

    private static bool IsUsable(KernelSamples? samples) =>
        samples is { Name.Length: > 0, SamplesMs.Length: > 0, YardstickMs.Length: > 0 }
        && samples.SamplesMs.Concat(samples.YardstickMs).All(ms => ms > 0 && double.IsFinite(ms));
}
