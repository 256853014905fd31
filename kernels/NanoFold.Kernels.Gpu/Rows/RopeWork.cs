using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Rows;

/// <summary>Turns four pairs a thread: (a, b) ← (a cos − b sin, a sin + b cos), the sine's sign changed to turn back.</summary>
internal struct RopeWork<T> : IGpuWork<RopeWork<T>>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> X, Y;
    public ArrayView<F32> Table;
    public ArrayView<int> Positions;
    public long XBatch, XTime, XHead, YBatch, YTime, YHead, TableStride;
    public int Threads, Time, Heads, Half, LastPosition;
    public int HasPositions, IsInterleaved, Accumulate, IsWide;

    /// <summary>1, or −1 to turn back.</summary>
    public float Sign;

    public static void Run(RopeWork<T> w)
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
        Quad cos = Piece.Load(w.Table, row, piece, w.Half, w.IsWide), sin = Piece.Load(w.Table, row + w.Half, piece, w.Half, w.IsWide) * w.Sign;
        long x = batch * w.XBatch + time * w.XTime + head * w.XHead, y = batch * w.YBatch + time * w.YTime + head * w.YHead;
        if (w.IsInterleaved != 0)
        {
            int width = 2 * w.Half;
            Quad p = Piece.Load(w.X, x, 2 * piece, width, w.IsWide), q = Piece.Load(w.X, x, 2 * piece + 1, width, w.IsWide);
            var a = new Quad(p.A, p.C, q.A, q.C);
            var b = new Quad(p.B, p.D, q.B, q.D);
            Quad first = a * cos - b * sin, second = a * sin + b * cos;
            Piece.Store(w.Y, y, 2 * piece, width, w.IsWide, new Quad(first.A, second.A, first.B, second.B), w.Accumulate);
            Piece.Store(w.Y, y, 2 * piece + 1, width, w.IsWide, new Quad(first.C, second.C, first.D, second.D), w.Accumulate);
        }
        else
        {
            Quad a = Piece.Load(w.X, x, piece, w.Half, w.IsWide), b = Piece.Load(w.X, x + w.Half, piece, w.Half, w.IsWide);
            Piece.Store(w.Y, y, piece, w.Half, w.IsWide, a * cos - b * sin, w.Accumulate);
            Piece.Store(w.Y, y + w.Half, piece, w.Half, w.IsWide, a * sin + b * cos, w.Accumulate);
        }
    }
}
