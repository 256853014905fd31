using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Norm;

/// <summary>Launches the backward pass of a norm, in groups that have several rows each.</summary>
internal readonly struct NormBackwardLaunch<T, TPiece, TKind>(GpuContext context, NormGradient<T> norm) : INormLaunch
    where T : unmanaged, IElement<T>
    where TPiece : struct, IPiece
    where TKind : struct, INormKind
{
    public void Run<TSum, TPieces>(in NormSplit split)
        where TSum : struct, ILaneSum
        where TPieces : struct, IPieces<TPieces>
    {
        NormGradient<T> n = norm with { LaneBits = split.LaneBits };
        int groups = (n.Shape.Count + n.RowsPerGroup - 1) / n.RowsPerGroup;
        if (split.Holds(n.Width))
        {
            context.Launch(new NormBackwardWork<T, TPiece, TSum, TPieces, TKind> { Norm = n }, groups, context.GroupSize);
        }
        else
        {
            context.Launch(new NormBackwardLongWork<T, TPiece, TSum, TKind> { Norm = n }, groups, context.GroupSize);
        }
    }
}
