using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Ops;

/// <summary>An activation and its derivative, each one formula for every lane.</summary>
public interface IActivation
{
    static abstract string Name { get; }

    /// <summary>The value by its definition, not by the formula of the lanes: what they are compared with.</summary>
    static abstract double Reference(double x);

    V Value<V>(V x)
        where V : struct, ILane<V>;

    /// <returns>The value; what it shares with the derivative is computed once.</returns>
    V Value<V>(V x, out V derivative)
        where V : struct, ILane<V>;
}
