using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Rope;

/// <summary>Turns four pairs a thread: (a, b) ← (a cos − b sin, a sin + b cos), the sine's sign changed to turn back.</summary>
internal struct RopeWork<T, TPiece> : IGpuWork<RopeWork<T, TPiece>>
    where T : unmanaged, IElement<T>
    where TPiece : struct, IPiece
{
    public ArrayView<T> X, Y;
    public ArrayView<F32> Table;
    public ArrayView<int> Positions;
    public long XBatch, XTime, XHead, YBatch, YTime, YHead, TableStride;
    public int Threads, Time, Heads, Half, LastPosition;
    public int HasPositions, IsInterleaved, Accumulate;

    /// <summary>1, or −1 to turn back.</summary>
    public float Sign;

    public static void Run(RopeWork<T, TPiece> w)
    {
        int thread = Grid.IdxX * Group.DimX + Group.IdxX;
        if (thread >= w.Threads)
        {
            return;
        }

        int pieces = (w.Half + 3) / 4, rest = thread / pieces, piece = thread - rest * pieces;
        int token = rest / w.Heads, head = rest - token * w.Heads, batch = token / w.Time, time = token - batch * w.Time;
        long position = time;
        if (w.HasPositions != 0)
        {
            position += w.Positions[batch];
        }

        long row = IntrinsicMath.Clamp(position, 0, w.LastPosition) * w.TableStride;
        Float4 cos = TPiece.Load(w.Table, row, piece, w.Half), sin = TPiece.Load(w.Table, row + w.Half, piece, w.Half) * w.Sign;
        long x = batch * w.XBatch + time * w.XTime + head * w.XHead, y = batch * w.YBatch + time * w.YTime + head * w.YHead;
        if (w.IsInterleaved != 0)
        {
            int width = 2 * w.Half;
            Float4 p = TPiece.Load(w.X, x, 2 * piece, width), q = TPiece.Load(w.X, x, 2 * piece + 1, width);
            var a = new Float4(p.A, p.C, q.A, q.C);
            var b = new Float4(p.B, p.D, q.B, q.D);
            Float4 first = a * cos - b * sin, second = a * sin + b * cos;
            Store(w, y, 2 * piece, width, new Float4(first.A, second.A, first.B, second.B));
            Store(w, y, 2 * piece + 1, width, new Float4(first.C, second.C, first.D, second.D));
        }
        else
        {
            Float4 a = TPiece.Load(w.X, x, piece, w.Half), b = TPiece.Load(w.X, x + w.Half, piece, w.Half);
            Store(w, y, piece, w.Half, a * cos - b * sin);
            Store(w, y + w.Half, piece, w.Half, a * sin + b * cos);
        }
    }

    private static void Store(RopeWork<T, TPiece> w, long row, int piece, int width, Float4 value)
    {
        if (w.Accumulate != 0)
        {
            value += TPiece.Load(w.Y, row, piece, width);
        }

        TPiece.Store(w.Y, row, piece, width, value);
    }
}
