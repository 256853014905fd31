using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Rope;

/// <summary>
/// Rotary position embedding on a GPU. y may be x. A token whose position lies outside of the table turns by the table's nearest row:
/// such tokens only pad a chunk of decoding, and a cache drops them.
/// </summary>
internal sealed class GpuRope(GpuContext context) : IKernel<RopeCall>
{
    public void Run(in RopeCall call)
    {
        call.Check();
        bool isWhole = call.X.Layout[3] % 8 == 0 && AlignedPiece.IsAligned(call.X) && AlignedPiece.IsAligned(call.Y) && AlignedPiece.IsAligned(call.Table);
        ByPiece.Run(RopeCall.Name, call.X, isWhole, new Body(context, call));
    }

    private readonly struct Body(GpuContext context, RopeCall call) : IPieceBody
    {
        public void Run<T, TPiece>()
            where T : unmanaged, IElement<T>
            where TPiece : struct, IPiece
        {
            View x = call.X, y = call.Y, table = call.Table, positions = call.Positions;
            int heads = x.Layout[2], half = x.Layout[3] / 2;
            int threads = checked((int)(x.Layout.Rows * AlignedPiece.Count(half)));
            context.LaunchThreads(
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
                    IsInterleaved = call.Interleaved ? 1 : 0,
                    Accumulate = call.Accumulate ? 1 : 0,
                    Sign = call.Inverse ? -1 : 1,
                },
                threads);
        }
    }
}
