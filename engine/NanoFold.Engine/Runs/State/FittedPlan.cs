namespace NanoFold.Engine.Runs;

/// <summary>
/// The plan of a run with a time budget, as it was fitted to the time that was left after a step. It is written down, so that a run that is taken up again has the
/// same learning rates.
/// </summary>
/// <param name="Step">Steps taken then.</param>
/// <param name="Steps">Steps that the run has in all.</param>
/// <param name="EvaluateEvery">Steps between evaluations from then on.</param>
public readonly record struct FittedPlan(long Step, int Steps, int EvaluateEvery);
