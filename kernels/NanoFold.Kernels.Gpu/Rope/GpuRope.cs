using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Rope;

/// <summary>
/// Rotary position embedding on a GPU. y may be x. A token whose position lies outside of the table turns by the table's nearest row:
/// such tokens only pad a chunk of decoding, and a cache drops them.
/// </summary>
internal sealed class GpuRope(GpuContext context) : IRopeKernel
{
    private const string Op = "rope";

    public void Apply(in View x, in View y, in View table, in View positions, bool interleaved, bool inverse, bool accumulate)
    {
        GpuChecks.NotDouble(Op, x);
        RopeChecks.Apply(Op, x, y, table, positions);
        switch (x.Type)
        {
            case DType.BFloat16:
                Apply<BF16>(x, y, table, positions, interleaved, inverse, accumulate);
                break;
            case DType.Float16:
                Apply<F16>(x, y, table, positions, interleaved, inverse, accumulate);
                break;
            default:
                Apply<F32>(x, y, table, positions, interleaved, inverse, accumulate);
                break;
        }
    }

    private void Apply<T>(in View x, in View y, in View table, in View positions, bool interleaved, bool inverse, bool accumulate)
        where T : unmanaged, IElement<T>
    {
        if (x.Layout[3] % 8 == 0 && WholePiece.IsAligned(x) && WholePiece.IsAligned(y) && WholePiece.IsAligned(table))
        {
            Apply<T, WholePiece>(x, y, table, positions, interleaved, inverse, accumulate);
        }
        else
        {
            Apply<T, AnyPiece>(x, y, table, positions, interleaved, inverse, accumulate);
        }
    }

    private void Apply<T, TPiece>(in View x, in View y, in View table, in View positions, bool interleaved, bool inverse, bool accumulate)
        where T : unmanaged, IElement<T>
        where TPiece : struct, IPiece
    {
        int heads = x.Layout[2], half = x.Layout[3] / 2;
        int threads = checked((int)(x.Layout.Rows * WholePiece.Count(half)));
        context.Launch(
            new RopeWork<T, TPiece>
            {
                X = context.View<T>(x),
                Y = context.View<T>(y),
                Table = context.View<F32>(table),
                Positions = context.View<int>(positions),
                XBatch = x.Layout.Stride(0),
                XTime = x.Layout.Stride(1),
                XHead = x.Layout.Stride(2),
                YBatch = y.Layout.Stride(0),
                YTime = y.Layout.Stride(1),
                YHead = y.Layout.Stride(2),
                TableStride = table.Layout.Stride(0),
                Threads = threads,
                Time = x.Layout[1],
                Heads = heads,
                Half = half,
                LastPosition = table.Layout[0] - 1,
                HasPositions = positions.IsNone ? 0 : 1,
                IsInterleaved = interleaved ? 1 : 0,
                Accumulate = accumulate ? 1 : 0,
                Sign = inverse ? -1 : 1,
            },
            (threads + context.GroupSize - 1) / context.GroupSize, context.GroupSize);
    }
}
