using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;

namespace NanoFold.Engine.Experiments.Results;

/// <summary>
/// What a comparison gave: the object that <c>compare --json</c> prints and <c>result.json</c> of its folder holds. Each number comes from the run folders named beside it.
/// </summary>
public sealed record ComparisonResult
{
    /// <summary>The file in the folder of a comparison.</summary>
    public const string FileName = "result.json";

    /// <summary>The version that is written.</summary>
    public const int CurrentVersion = 1;

    private static readonly JsonSerializerOptions s_json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        WriteIndented = true,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        TypeInfoResolver = new DefaultJsonTypeInfoResolver(),
        Converters = { FiniteJson.Converter },
    };

    /// <summary>The version of the file.</summary>
    public int Version { get; init; } = CurrentVersion;

    /// <summary>What was compared, in a line.</summary>
    public required string Title { get; init; }

    /// <summary>What is held equal: <c>params</c>, <c>flops</c>, <c>tokens</c> or <c>seconds</c>; null for nothing.</summary>
    public string? Equal { get; init; }

    /// <summary>The task: <c>text</c>, <c>mqar</c>.</summary>
    public required string Task { get; init; }

    /// <summary>What the loss is counted in.</summary>
    public required string LossUnit { get; init; }

    /// <summary>The figure that variants are ranked by: <c>accuracy</c> where every variant has it, otherwise <c>loss</c>.</summary>
    public required string RankedBy { get; init; }

    /// <summary>Whether figures are of all that is held back; otherwise they are of the windows or rows of every evaluation. One of the two for all runs.</summary>
    public required bool IsOfAllHeldBack { get; init; }

    /// <summary>The variant that the others are compared with.</summary>
    public required string Base { get; init; }

    /// <summary>The seeds that were asked for.</summary>
    public IReadOnlyList<long> Seeds { get; init; } = [];

    /// <summary>The variants: the best mean first, those without a result last.</summary>
    public required IReadOnlyList<VariantResult> Variants { get; init; }

    /// <summary>What is to be said about it, in sentences: what may be the best, how sure that is, and what is missing.</summary>
    public IReadOnlyList<string> Summary { get; init; } = [];

    /// <summary>Runs that did not end as they were meant to.</summary>
    public IReadOnlyList<RunResult> Unfinished { get; init; } = [];

    /// <summary>What other methods reach on the same rows, as in <c>baselines.json</c>; null where it is not there.</summary>
    public JsonObject? Baselines { get; init; }

    /// <summary>The page, from the folder of the comparison; null where none was made.</summary>
    public string? Report { get; init; }

    /// <summary>The base's result.</summary>
    public VariantResult? BaseVariant() => Variants.FirstOrDefault(variant => variant.IsBase);

    /// <summary>As one object; figures that are not finite are null.</summary>
    public JsonObject ToJson() => (JsonObject)JsonSerializer.SerializeToNode(this, s_json)!;

    /// <summary>Writes <see cref="FileName"/> into the folder of a comparison.</summary>
    /// <exception cref="UserException">It cannot be written.</exception>
    public void Write(string folder)
        => OutputFile.Write(Path.Combine(folder, FileName), stream =>
        {
            JsonSerializer.Serialize(stream, this, s_json);
            stream.WriteByte((byte)'\n');
        });

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    /// <exception cref="UserException">It is not there, or not such a file.</exception>
    public static ComparisonResult Read(string folder)
    {
        string path = Path.Combine(folder, FileName);
        try
        {
            using FileStream file = File.OpenRead(path);
            ComparisonResult result = JsonSerializer.Deserialize<ComparisonResult>(file, s_json) ?? throw new JsonException("it is null");
            return result.Version <= CurrentVersion ? result : throw new UserException($"{path}: was written by a newer NanoFold; update to read it");
        }
        catch (JsonException e)
        {
            throw new UserException($"{path}: is not the result of a comparison: {e.Message}", e);
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            throw FileFault.Describe("cannot read", path, e);
        }
    }
}
