using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels;

/// <summary>Two elementwise formulas of the same three operands, (y, z) = f(a, b, c): what they share is computed once.</summary>
public interface IPairOp
{
    /// <returns>y.</returns>
    V Invoke<V>(V a, V b, V c, out V z)
        where V : struct, ILane<V>;
}
