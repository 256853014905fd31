namespace NanoFold.Engine.Training;

/// <summary>What an optimizer suggests where a configuration leaves settings of <see cref="TrainConfig"/> open.</summary>
/// <param name="LearningRate">The peak.</param>
/// <param name="WeightDecay">Of matrices and head.</param>
/// <param name="Warmup">Steps, at most a tenth of the run.</param>
public sealed record OptimizerDefaults(double LearningRate, double WeightDecay, int Warmup);
