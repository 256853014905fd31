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
/// <param name="Kind">What is called.</param>
/// <param name="Call">The op's operands; null for a fill.</param>
/// <param name="IsRecomputed">A forward call that is done again for the backward pass.</param>
/// <param name="Target">What is filled.</param>
/// <param name="Value">What it is filled with.</param>
internal sealed record PlanStep(PlanStepKind Kind, OpCall? Call, bool IsRecomputed, View Target, double Value)
{
    /// <summary>The forward call made ready, see <see cref="Op.Prepare"/>.</summary>
    public PreparedCall? Prepared { get; init; }

    /// <summary>The products of this and the calls after it that are computed together; null for a call by itself.</summary>
    public MatMulArgs[]? Products { get; init; }

    /// <summary>This and the calls after it that are done together where they are no products; null for a call by itself.</summary>
    public Action[]? Together { get; init; }

    /// <summary>Whether it belongs to the backward pass.</summary>
    public bool IsBackward => Kind != PlanStepKind.Forward || IsRecomputed;

    /// <summary>Whether the call waits for the device.</summary>
    public bool ReadsBack => Call?.Node.Op.ReadsBack == true;

    public void Run(Backend backend)
    {
        if (Prepared is not null)
        {
            Prepared.Run();
            return;
        }

        if (Products is not null)
        {
            backend.MatMulTogether(Products);
            return;
        }

        if (Together is not null)
        {
            backend.RunTogether(Together);
            return;
        }

        switch (Kind)
        {
            case PlanStepKind.Forward:
                Call!.Node.Op.Forward(backend, Call);
                break;
            case PlanStepKind.Backward:
                Call!.Node.Op.Backward(backend, Call);
                break;
            default:
                backend.Fill(Target, Value);
                break;
        }
    }
}
