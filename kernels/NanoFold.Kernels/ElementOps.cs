using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels;

/// <summary>An elementwise formula y = f(x), written once for every lane.</summary>
public interface IUnaryOp
{
    V Invoke<V>(V x)
        where V : struct, ILane<V>;
}

/// <summary>An elementwise formula y = f(a, b), written once for every lane.</summary>
public interface IBinaryOp
{
    V Invoke<V>(V a, V b)
        where V : struct, ILane<V>;
}

/// <summary>An elementwise formula y = f(a, b, c), written once for every lane.</summary>
public interface ITernaryOp
{
    V Invoke<V>(V a, V b, V c)
        where V : struct, ILane<V>;
}

/// <summary>Two elementwise formulas of the same three operands, (y, z) = f(a, b, c): what they share is computed once.</summary>
public interface IPairOp
{
    /// <returns>y.</returns>
    V Invoke<V>(V a, V b, V c, out V z)
        where V : struct, ILane<V>;
}
