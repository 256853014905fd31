using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels.Calls;

namespace NanoFold.Engine.Ops;

/// <summary>Rotary positions of the first R elements of each head, as data of a recording.</summary>
/// <param name="Table">[positions, R], see <see cref="RopeTable"/>.</param>
/// <param name="Positions">First position of each row, Int32 [B], or none for 0.</param>
/// <param name="Interleaved">Pairs (2i, 2i + 1) in place of (i, i + R/2).</param>
public readonly record struct RotaryPositions(Tensor Table, Tensor Positions, bool Interleaved)
{
    /// <summary>The inputs that they are of an op.</summary>
    internal const int InputCount = 2;

    /// <summary>The same in memory.</summary>
    /// <param name="call">Of an op.</param>
    /// <param name="first">The first of its inputs that are these.</param>
    /// <param name="interleaved">As above.</param>
    internal static HeadRotation At(OpCall call, int first, bool interleaved) => new(call.Input(first), call.Input(first + 1), interleaved);
}
