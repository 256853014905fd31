using NanoFold.Engine.Experiments.Statistics;
using NanoFold.Engine.Tasks;

namespace NanoFold.Engine.Experiments.Results;

/// <summary>A figure of the held-back rows over the seeds of a variant, and its difference to the base.</summary>
/// <param name="Name"><c>loss</c>, <c>bitsPerByte</c>, <c>accuracy</c>.</param>
/// <param name="Mean">Over the seeds.</param>
/// <param name="StandardDeviation">Over the seeds; null of one.</param>
/// <param name="Seeds">How many.</param>
/// <param name="Difference">To the base, paired by seed; null for the base itself and where no seed is common.</param>
public sealed record FigureResult(string Name, double Mean, double? StandardDeviation, int Seeds, PairedDifference? Difference)
{
    /// <summary>The name of the loss.</summary>
    public const string Loss = "loss";

    /// <summary>Whether a smaller one is the better one; null of figures that say nothing about the model, such as what least squares reaches.</summary>
    public static bool? IsLowerBetter(string name) => name switch
    {
        Loss or "bitsPerByte" => true,
        Evaluation.Accuracy => false,
        _ => null,
    };
}

/// <summary>A trial of the search for a learning rate.</summary>
/// <param name="LearningRate">The rate.</param>
/// <param name="WeightDecay">The weight decay, where it is searched too.</param>
/// <param name="Value">The figure that is ranked by; null where the run gave none.</param>
/// <param name="State">How far the run came.</param>
/// <param name="Run">Its folder, from the folder of the set.</param>
/// <param name="IsBest">Whether the variant's seeds run with it.</param>
public sealed record SearchTrial(double LearningRate, double? WeightDecay, double? Value, RunState State, string Run, bool IsBest);

/// <summary>A figure of geometry of a variant after training, over its seeds.</summary>
/// <param name="Measure">The kind of measure: <c>attention</c>.</param>
/// <param name="Figure">The figure: <c>firstTokenMass</c>.</param>
/// <param name="Point">Where it was measured: <c>blocks.3.attn.hook_pattern</c>.</param>
/// <param name="Layer">The layer, from 0.</param>
/// <param name="Mean">Over the seeds that have it.</param>
/// <param name="StandardDeviation">Over them; null of one.</param>
/// <param name="Runs">How many.</param>
public sealed record GeometryResult(string Measure, string Figure, string Point, int Layer, double Mean, double? StandardDeviation, int Runs);
