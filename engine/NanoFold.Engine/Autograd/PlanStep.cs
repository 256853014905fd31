using NanoFold.Kernels;

namespace NanoFold.Engine.Autograd;

internal enum PlanStepKind
{
    Forward,
    Backward,

    /// <summary>Sets a gradient to 0 before parts of it are added, or a loss's gradient to 1.</summary>
    Fill,
}

/// <summary>One call of a bound plan.</summary>
internal readonly record struct PlanStep(PlanStepKind Kind, OpCall? Call, View Target, double Value);
