using NanoFold.Engine.Configuration;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Mixers;

/// <summary>Factors on the parts of what Mamba-2's input matrix gives, biases included, before the convolution (Falcon-H1).</summary>
public sealed record Mamba2Scales
{
    /// <summary>Of z, the gate.</summary>
    [Bounds(0, AboveMinimum = true)]
    public double Z { get; init; } = 1;

    /// <summary>Of x.</summary>
    [Bounds(0, AboveMinimum = true)]
    public double X { get; init; } = 1;

    /// <summary>Of B, the keys.</summary>
    [Bounds(0, AboveMinimum = true)]
    public double B { get; init; } = 1;

    /// <summary>Of C, the queries.</summary>
    [Bounds(0, AboveMinimum = true)]
    public double C { get; init; } = 1;

    /// <summary>Of the steps dt.</summary>
    [Bounds(0, AboveMinimum = true)]
    public double Dt { get; init; } = 1;

    /// <summary>The factor of each row [1, 1, rows], null where all are 1.</summary>
    /// <param name="builder">Where the table is.</param>
    /// <param name="channels">Rows of z and of x.</param>
    /// <param name="shared">Rows of B and of C.</param>
    /// <param name="heads">Rows of dt.</param>
    internal Table? OfRows(ModuleBuilder builder, int channels, int shared, int heads)
    {
        (double Factor, int Rows)[] parts = [(Z, channels), (X, channels), (B, shared), (C, shared), (Dt, heads)];
        return this == new Mamba2Scales() ? null : builder.Table(
            FormattableString.Invariant($"mamba2 scales {Z:r} {X:r} {B:r} {C:r} {Dt:r} of {channels} {shared} {heads}"),
            Layout.Of(1, 1, parts.Sum(part => part.Rows)),
            () => [.. parts.SelectMany(part => Enumerable.Repeat(part.Factor, part.Rows))]);
    }
}
