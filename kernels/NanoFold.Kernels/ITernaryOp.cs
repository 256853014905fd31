using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels;

/// <summary>An elementwise formula y = f(a, b, c), written once for every lane.</summary>
public interface ITernaryOp
{
    V Invoke<V>(V a, V b, V c)
        where V : struct, ILane<V>;
}
