using System.Text.Json.Nodes;
using NanoFold.Engine.Experiments.Results;

namespace NanoFold.Engine.Experiments.Scaling;

/// <summary>What a grid of sizes and tokens gave: the object that <c>scaling --json</c> prints and <c>result.json</c> of its folder holds.</summary>
public sealed record ScalingResult
{
    /// <summary>The file in the folder of a grid.</summary>
    public const string FileName = "result.json";

    /// <summary>The version that is written.</summary>
    public const int CurrentVersion = 1;

    /// <summary>The version of the file.</summary>
    public int Version { get; init; } = CurrentVersion;

    /// <summary>What was trained, in a line.</summary>
    public required string Title { get; init; }

    /// <summary>The task: <c>text</c>.</summary>
    public required string Task { get; init; }

    /// <summary>What the loss is counted in.</summary>
    public required string LossUnit { get; init; }

    /// <summary>Every run that finished, by size and tokens.</summary>
    public required IReadOnlyList<ScalingRun> Runs { get; init; }

    /// <summary>The law; null where <see cref="WhyNot"/> says why there is none.</summary>
    public ScalingFit? Fit { get; init; }

    /// <summary>Why no law was fitted, in a line.</summary>
    public string? WhyNot { get; init; }

    /// <summary>Where FLOPs are spent best, by the law; empty without one.</summary>
    public IReadOnlyList<ComputePoint> ComputeOptimal { get; init; } = [];

    /// <summary>What is to be said about it, in sentences: how well the law fits, what it does not tell.</summary>
    public IReadOnlyList<string> Summary { get; init; } = [];

    /// <summary>Runs that did not end as they were meant to, or were not begun.</summary>
    public IReadOnlyList<CollectedRun> Unfinished { get; init; } = [];

    /// <summary>The page, from the folder of the grid; null where none was made.</summary>
    public string? Report { get; init; }

    /// <summary>As one object; figures that are not finite are null.</summary>
    public JsonObject ToJson() => JsonNode.Parse(RecordFile.ToBytes(this))!.AsObject();

    /// <summary>Writes <see cref="FileName"/> into the folder of a grid.</summary>
    /// <exception cref="UserException">It cannot be written.</exception>
    public void Write(string folder) => RecordFile.Write(Path.Combine(folder, FileName), this);

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    /// <exception cref="UserException">It is not there, damaged, or was written by a newer version.</exception>
    public static ScalingResult Read(string folder) => RecordFile.Read<ScalingResult>(Path.Combine(folder, FileName), CurrentVersion, result => result.Version);
}

/// <summary>A run of a grid.</summary>
/// <param name="Run">Its folder, from the folder of the grid: <c>runs/w64-l2-t400000-seed1</c>.</param>
/// <param name="Size">The name of its size: <c>w64-l2</c>.</param>
/// <param name="Seed">The seed.</param>
/// <param name="Parameters">N, the embedding included.</param>
/// <param name="Tokens">D, trained on.</param>
/// <param name="FlopsPerToken">Forward and backward, by convention.</param>
/// <param name="Loss">Of what is held back.</param>
/// <param name="Predicted">L̂, by the law; null without one.</param>
/// <param name="Residual">log L − log L̂.</param>
/// <param name="TokensPerSecond">Training.</param>
/// <param name="Seconds">Of the clock on the wall.</param>
public sealed record ScalingRun(
    string Run, string Size, long Seed, long Parameters, long Tokens, long FlopsPerToken, double Loss, double? Predicted, double? Residual, double? TokensPerSecond, double Seconds)
{
    /// <summary>C, spent on training.</summary>
    public double Flops => (double)FlopsPerToken * Tokens;
}

/// <summary>The best size and number of tokens for so many FLOPs, by the law and C = 6 N D.</summary>
/// <param name="Flops">C.</param>
/// <param name="Parameters">N.</param>
/// <param name="Tokens">D.</param>
/// <param name="Loss">L of them.</param>
/// <param name="IsExtrapolated">Whether size or tokens lie outside of what was trained.</param>
public sealed record ComputePoint(double Flops, double Parameters, double Tokens, double Loss, bool IsExtrapolated);
