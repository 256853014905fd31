namespace NanoFold.Engine.Autograd;

/// <summary>A gradient beside its central difference.</summary>
/// <param name="Name">The parameter, and where in it.</param>
/// <param name="Analytic">By the backward pass.</param>
/// <param name="Numeric">By the central difference.</param>
/// <param name="Relative">Their difference relative to the parameter's largest gradient.</param>
public readonly record struct GradientDifference(string Name, double Analytic, double Numeric, double Relative);
