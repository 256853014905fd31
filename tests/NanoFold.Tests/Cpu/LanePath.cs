using NanoFold.Kernels;

namespace NanoFold.Tests.Cpu;

/// <summary>One of the lanes that a kernel over rows must give the same answer on.</summary>
public sealed record LanePath(Isa Isa, DType Type)
{
    public static IEnumerable<LanePath> All =>
    [
        new(Isa.Scalar, DType.Float32),
        new(Isa.Vector128, DType.Float32),
        new(Isa.Vector256, DType.Float32),
        new(Isa.Vector512, DType.Float32),
        new(Isa.Scalar, DType.Float64),
    ];

    /// <summary>What results of order one may be off by.</summary>
    public double Tolerance => Type == DType.Float64 ? 1e-12 : 4e-6;

    public override string ToString() => Type == DType.Float64 ? "double" : Isa.ToString();
}
