namespace NanoFold.Engine.Experiments.Scaling;

/// <summary>A model that was trained: what a scaling law is fitted to.</summary>
/// <param name="Parameters">N, all of them, the embedding included.</param>
/// <param name="Tokens">D, trained on.</param>
/// <param name="Loss">L, of what is held back, nats per token; more than 0.</param>
public readonly record struct ScalingPoint(double Parameters, double Tokens, double Loss);
