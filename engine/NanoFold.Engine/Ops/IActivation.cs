using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Ops;

/// <summary>An activation and its derivative, each one formula for every lane.</summary>
public interface IActivation
{
    static abstract string Name { get; }

    V Value<V>(V x)
        where V : struct, ILane<V>;

    V Derivative<V>(V x)
        where V : struct, ILane<V>;
}
