namespace NanoFold.Engine.Configuration;

/// <summary>What a preset suggests for one optimizer.</summary>
public sealed record OptimizerDefaults
{
    public required double LearningRate { get; init; }

    /// <summary>Muon's, null for AdamW.</summary>
    public double? MatrixLearningRate { get; init; }

    public required double WeightDecay { get; init; }

    /// <summary>Muon's, null for AdamW.</summary>
    public double? MatrixWeightDecay { get; init; }

    public double Beta1 { get; init; } = 0.9;

    public required double Beta2 { get; init; }

    public double Epsilon { get; init; } = 1e-8;

    /// <summary>Steps, at most a tenth of the run.</summary>
    public required int Warmup { get; init; }
}
