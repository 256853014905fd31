using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels;

/// <summary>An elementwise formula y = f(a, b), written once for every lane.</summary>
public interface IBinaryOp
{
    V Invoke<V>(V a, V b)
        where V : struct, ILane<V>;
}
