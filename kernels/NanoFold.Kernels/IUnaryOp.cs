using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels;

/// <summary>An elementwise formula y = f(x), written once for every lane.</summary>
public interface IUnaryOp
{
    V Invoke<V>(V x)
        where V : struct, ILane<V>;
}
