namespace NanoFold.Engine.Benchmarks;

/// <summary>A training step at one value of a <see cref="SweepAxis"/>.</summary>
/// <param name="Axis">Its name.</param>
/// <param name="Value">What it was set to.</param>
/// <param name="Parameters">Of the model.</param>
/// <param name="TokensPerSecond">Of whole steps, the update included.</param>
/// <param name="FlopsPerSecond">Of the forward and backward pass, by the model's FLOPs per token.</param>
/// <param name="PeakFlopsPerSecond">Of matrix products, measured between the steps.</param>
/// <param name="UpdateSeconds">Of the optimizer: the same for any number of tokens, and none of it in the model's FLOPs.</param>
/// <param name="PlanBytes">What training takes by its plan.</param>
public sealed record SweepCell(
    string Axis, int Value, long Parameters, double TokensPerSecond, double FlopsPerSecond, double PeakFlopsPerSecond, double UpdateSeconds, long PlanBytes)
{
    /// <summary>What of a matrix product's rate the passes reach.</summary>
    public double PeakShare => FlopsPerSecond / PeakFlopsPerSecond;
}
