using System.Globalization;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Training;

namespace NanoFold.Engine.Experiments.Comparisons;

/// <summary>What a search tries.</summary>
/// <param name="LearningRate">The peak of <c>train.learningRate</c>; null for what the settings say.</param>
/// <param name="WeightDecay"><c>train.weightDecay</c>; null for what the settings say.</param>
public sealed record RatePoint(double? LearningRate, double? WeightDecay)
{
    /// <summary>As a part of a run's name: <c>-lr0.003-wd0.1</c>.</summary>
    public string Suffix => string.Create(CultureInfo.InvariantCulture, $"{(LearningRate is { } rate ? $"-lr{Short(rate)}" : "")}{(WeightDecay is { } decay ? $"-wd{Short(decay)}" : "")}");

    /// <summary>In words: <c>learning rate 0.003, weight decay 0.1</c>; empty where nothing is searched.</summary>
    public override string ToString() => string.Join(", ", new[]
    {
        LearningRate is { } rate ? $"learning rate {Short(rate)}" : null,
        WeightDecay is { } decay ? $"weight decay {Short(decay)}" : null,
    }.OfType<string>());

    /// <summary>The settings of a run at this point. Muon's rate for matrices keeps its ratio to the other one.</summary>
    public TrainConfig Apply(TrainConfig train)
    {
        double? factor = LearningRate / train.LearningRate;
        return train with
        {
            LearningRate = LearningRate ?? train.LearningRate,
            WeightDecay = WeightDecay ?? train.WeightDecay,
            Optimizer = factor is { } f && double.IsFinite(f) && train.Optimizer is MuonConfig muon ? muon with { MatrixLearningRate = muon.MatrixLearningRate * f } : train.Optimizer,
        };
    }

    // Ordinary numbers as people write them: 0.003, 1e-05.
    private static string Short(double value) => value.ToString("R", CultureInfo.InvariantCulture).ToLowerInvariant();
}

/// <summary>A run of a comparison.</summary>
/// <param name="Variant">Whose.</param>
/// <param name="Point">The rates that it trains at.</param>
/// <param name="Seed">Its <c>train.seed</c>.</param>
/// <param name="Share">The share of the variant's steps that it takes.</param>
/// <param name="IsTrial">Whether it tries a rate only: shorter or at another width than those that count.</param>
public sealed record ComparedRun(ComparedVariant Variant, RatePoint Point, long Seed, double Share = 1, bool IsTrial = false)
{
    /// <summary>The name of its folder within <see cref="RunSet.RunsFolder"/>: <c>attention-lr0.003-seed1</c>.</summary>
    public string Name => string.Create(CultureInfo.InvariantCulture, $"{Variant.Folder}{Point.Suffix}-seed{Seed}{(IsTrial ? "-search" : "")}");

    /// <summary>What it does, resolved.</summary>
    /// <param name="variant">The settings of the variant, <see cref="ComparedVariant.Resolve"/>; of a trial <see cref="ComparedVariant.ResolveSearch"/>.</param>
    public RunConfig ConfigOf(RunConfig variant)
    {
        TrainConfig train = Point.Apply(variant.Train) with { Seed = Seed };
        return (variant with { Train = IsTrial ? Shorter(train) : train }).Resolve();
    }

    // A share of everything that is counted in steps.
    private TrainConfig Shorter(TrainConfig train)
    {
        int Part(int steps) => steps is 0 or TrainConfig.Unbounded ? steps : (int)Math.Max(1, Math.Round(steps * Share));
        return train with
        {
            Steps = Part(train.Steps),
            Tokens = (long)(train.Tokens * Share),
            Flops = train.Flops * Share,
            Minutes = train.Minutes * Share,
            Warmup = train.Warmup is { } warmup ? Part(warmup) : null,
            EvaluateEvery = Part(train.EvaluateEvery),
            CheckpointEvery = Part(train.CheckpointEvery),
            DetailedEvaluation = false,
        };
    }
}
