using NanoFold.Engine.Experiments.Statistics;
using NanoFold.Engine.Runs.Evaluations;
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

    /// <summary>The name of the length in bits per byte, of text.</summary>
    public const string BitsPerByte = "bitsPerByte";

    /// <summary>Whether a smaller one is the better one; null of figures that say nothing about the model, such as what least squares reaches.</summary>
    public static bool? IsLowerBetter(string name) => name switch
    {
        Loss or BitsPerByte => true,
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
public sealed record SearchTrial(double LearningRate, double? WeightDecay, double? Value, CollectedState State, string Run, bool IsBest);

/// <summary>A figure of geometry of a variant after training, over its seeds.</summary>
/// <param name="Measure">The kind of measure: <c>attention</c>.</param>
/// <param name="Figure">The figure: <c>firstTokenMass</c>.</param>
/// <param name="Point">Where it was measured: <c>blocks.3.attn.hook_pattern</c>.</param>
/// <param name="Layer">The layer, from 0.</param>
/// <param name="Mean">Over the seeds that have it.</param>
/// <param name="StandardDeviation">Over them; null of one.</param>
/// <param name="Runs">How many.</param>
public sealed record GeometryResult(string Measure, string Figure, string Point, int Layer, double Mean, double? StandardDeviation, int Runs);

/// <summary>The held-back targets told apart by one axis, over the seeds of a variant (<see cref="ScoreBreakdown"/>).</summary>
/// <param name="Axis">Its name: <c>position</c>, <c>frequency</c>, <c>documentPart</c>, or one of the task.</param>
/// <param name="Meaning">What its numbers count.</param>
/// <param name="Scale">How numbers are put together.</param>
/// <param name="Bins">In order.</param>
public sealed record BreakdownResult(string Axis, string Meaning, AxisScale Scale, IReadOnlyList<BinResult> Bins);

/// <summary>The targets of one bin, over the seeds of a variant.</summary>
/// <param name="From">Its smallest number.</param>
/// <param name="To">Its largest, included.</param>
/// <param name="Targets">How many in each run, on average.</param>
/// <param name="Loss">Mean over seeds.</param>
/// <param name="LossDeviation">Standard deviation over seeds; null of one.</param>
/// <param name="Accuracy">Mean over seeds, where it is scored.</param>
/// <param name="AccuracyDeviation">Standard deviation over seeds.</param>
public sealed record BinResult(long From, long To, double Targets, double Loss, double? LossDeviation, double? Accuracy, double? AccuracyDeviation);

/// <summary>The same models on rows of another length than in training (<see cref="ContextEvaluation"/>).</summary>
/// <param name="Factor">How many times as long.</param>
/// <param name="Context">Places of a row.</param>
/// <param name="Loss">Mean over seeds; null where no model can read such rows.</param>
/// <param name="LossDeviation">Standard deviation over seeds; null of one.</param>
/// <param name="Accuracy">Mean over seeds, where it is scored.</param>
/// <param name="AccuracyDeviation">Standard deviation over seeds.</param>
/// <param name="WhyNot">Why they cannot, in a line.</param>
public sealed record ContextResult(int Factor, int Context, double? Loss, double? LossDeviation, double? Accuracy, double? AccuracyDeviation, string? WhyNot);
