using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Ops;

/// <summary>
/// One case of an op: how it is recorded, its inputs, and an independent naive float64 reference. The same cases give the
/// comparison with the reference, the finite-difference check, the comparison across instruction sets and the micro-benchmarks.
/// </summary>
/// <param name="Name">Op and shapes.</param>
/// <param name="Inputs">What the op is given.</param>
/// <param name="Record">Records the op; returns its real output, or those that are to be checked.</param>
/// <param name="Reference">The outputs, one after the other, from the inputs as flat row-major arrays; integers as doubles.</param>
public sealed record OpCase(string Name, OpInput[] Inputs, Func<Tape, Tensor[], OpOutputs> Record, Func<double[][], double[]> Reference)
{
    /// <summary>Largest difference to the float64 reference in float32, relative to the largest magnitude of the result.</summary>
    public double Tolerance { get; init; } = 2e-6;

    /// <summary>The same for gradients: what rounding the op's inputs and its inner sums makes there, at the worst.</summary>
    public double GradientTolerance => 4 * Tolerance;

    /// <summary>False for ops that have no gradient, or whose cases lie where it jumps.</summary>
    public bool CheckGradient { get; init; } = true;

    /// <summary>False for ops that refuse activations of 16 bits.</summary>
    public bool Takes16Bits { get; init; } = true;

    public override string ToString() => Name;
}

/// <summary>The outputs that a case records: one, or several that are compared, and pass a gradient back, together.</summary>
public readonly struct OpOutputs
{
    private readonly Tensor[] _tensors;

    private OpOutputs(Tensor[] tensors) => _tensors = tensors;

    public IReadOnlyList<Tensor> Tensors => _tensors;

    public static implicit operator OpOutputs(Tensor output) => new([output]);

    public static implicit operator OpOutputs(Tensor[] outputs) => new(outputs);

    public static implicit operator OpOutputs((Tensor First, Tensor Second) outputs) => new([outputs.First, outputs.Second]);
}
