using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using NanoFold.Engine.Experiments.Baselines;

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

    /// <summary>The figure that variants are ranked by: <c>accuracy</c> where every variant has it, <c>bitsPerByte</c> where their tokenizers differ, otherwise <c>loss</c>.</summary>
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

    /// <summary>All runs, trials of searches included: those that figures are of, and those that did not end as they were meant to.</summary>
    public IReadOnlyList<CollectedRun> AllRuns { get; init; } = [];

    /// <summary>Runs that did not end as they were meant to.</summary>
    [JsonIgnore]
    public IEnumerable<CollectedRun> Unfinished => AllRuns.Where(run => run.State != CollectedState.Finished);

    /// <summary>What is reached without a neural network, as in <c>baselines.json</c>: for each text with its tokenizer, and for each task.</summary>
    public IReadOnlyList<BaselineEntry> Baselines { get; init; } = [];

    /// <summary>What is reached without a neural network on the rows that the variants are evaluated on: rows of tables beside theirs.</summary>
    public IReadOnlyList<ReferenceResult> References { get; init; } = [];

    /// <summary>The page, from the folder of the comparison; null where none was made.</summary>
    public string? Report { get; init; }

    /// <summary>The base's result.</summary>
    public VariantResult? BaseVariant() => Variants.FirstOrDefault(variant => variant.IsBase);

    /// <summary>As one object; figures that are not finite are null.</summary>
    public JsonObject ToJson() => JsonNode.Parse(RecordFile.ToBytes(this))!.AsObject();

    /// <summary>Writes <see cref="FileName"/> into the folder of a comparison.</summary>
    /// <exception cref="UserException">It cannot be written.</exception>
    public void Write(string folder) => RecordFile.Write(Path.Combine(folder, FileName), this);

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    /// <exception cref="UserException">It is not there, damaged, or was written by a newer version.</exception>
    public static ComparisonResult Read(string folder) => RecordFile.Read<ComparisonResult>(Path.Combine(folder, FileName), CurrentVersion, result => result.Version);
}
