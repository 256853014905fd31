namespace NanoFold.Engine.Training;

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

    /// <summary>
    /// The settings where a configuration leaves them open; of a preset that is not named here, those of a small model. AdamW's rates are nanoGPT's for these sizes; Muon's is its authors' 0.02, but for nano, where 0.01 was measured to be better.
    /// </summary>
    public static OptimizerDefaults Of(string preset, OptimizerKind kind) => (preset, kind) switch
    {
        ("gpt2", OptimizerKind.AdamW) => new() { LearningRate = 6e-4, WeightDecay = 0.1, Beta2 = 0.95, Warmup = 700 },
        ("gpt2", OptimizerKind.Muon) => new()
        {
            LearningRate = 1e-3, MatrixLearningRate = 0.02, WeightDecay = 0, MatrixWeightDecay = 0, Beta2 = 0.95, Warmup = 300,
        },
        ("nano", OptimizerKind.Muon) => new()
        {
            LearningRate = 1e-2, MatrixLearningRate = 1e-2, WeightDecay = 0, MatrixWeightDecay = 0, Beta2 = 0.99, Warmup = 20,
        },
        (_, OptimizerKind.AdamW) => new() { LearningRate = 1e-3, WeightDecay = 0.1, Beta2 = 0.99, Warmup = 100 },
        _ => new()
        {
            LearningRate = 3e-3, MatrixLearningRate = 0.02, WeightDecay = 0, MatrixWeightDecay = 0, Beta2 = 0.99, Warmup = 100,
        },
    };
}
