using NanoFold.Engine.Runs;

namespace NanoFold.Engine.Experiments;

/// <summary>What a run is going to take, before it begins.</summary>
/// <param name="Steps">Planned; 0 where only the time ends it.</param>
/// <param name="Tokens">Trained on.</param>
/// <param name="Flops">Of training, by <see cref="Model.CostModel.FlopsPerToken"/>.</param>
/// <param name="ResidentBytes">Of its process, by plan.</param>
/// <param name="TokensPerSecond">Measured in some steps.</param>
/// <param name="Seconds">Of the run with its evaluations and the start of its process.</param>
public sealed record RunEstimate(long Steps, long Tokens, double Flops, long ResidentBytes, double TokensPerSecond, double Seconds);
