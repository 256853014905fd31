using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Norm;

/// <summary>Launches the forward pass of a norm, a row a run of lanes.</summary>
internal readonly struct NormForwardLaunch<T, TPiece, TKind>(GpuContext context, NormForward<T> norm) : INormLaunch
    where T : unmanaged, IElement<T>
    where TPiece : struct, IPiece
    where TKind : struct, INormKind
{
    public void Run<TSum, TPieces>(in NormSplit split)
        where TSum : struct, ILaneSum
        where TPieces : struct, IPieces<TPieces>
    {
        int rows = context.GroupSize / split.Lanes;
        context.Launch(
            new NormForwardWork<T, TPiece, TSum, TPieces, TKind> { Norm = norm with { LaneBits = split.LaneBits } },
            (norm.Shape.Count + rows - 1) / rows, context.GroupSize);
    }
}
