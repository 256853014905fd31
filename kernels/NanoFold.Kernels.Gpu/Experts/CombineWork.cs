using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Experts;

/// <summary>y[n] = Σⱼ w[n, j] · rows[r(n, j)] (+ y), four columns a thread.</summary>
internal struct CombineWork<T, TPiece> : IGpuWork<CombineWork<T, TPiece>>
    where T : unmanaged, IElement<T>
    where TPiece : struct, IPiece
{
    public ExpertRows<T> Rows;
    public ArrayView<T> Y;
    public long YRow;
    public int Accumulate;

    public static void Run(CombineWork<T, TPiece> w)
    {
        int pieces = WholePiece.Count(w.Rows.Width);
        long i = (long)Grid.IdxX * Group.DimX + Group.IdxX;
        int token = (int)(i / pieces), piece = (int)(i % pieces);
        if (token >= w.Rows.Tokens)
        {
            return;
        }

        Quad sum = Quad.All(0);
        for (int slot = token * w.Rows.Slots; slot < (token + 1) * w.Rows.Slots; slot++)
        {
            sum += TPiece.Load(w.Rows.Rows, w.Rows.RowOfSlot[slot] * w.Rows.Row, piece, w.Rows.Width) * ExpertRows<T>.Weight(w.Rows, slot);
        }

        if (w.Accumulate != 0)
        {
            sum += TPiece.Load(w.Y, token * w.YRow, piece, w.Rows.Width);
        }

        TPiece.Store(w.Y, token * w.YRow, piece, w.Rows.Width, sum);
    }
}
