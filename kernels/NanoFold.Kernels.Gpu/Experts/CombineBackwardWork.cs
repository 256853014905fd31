using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Experts;

/// <summary>dRows[r(n, j)] = w[n, j] · dy[n] and dw[n, j] = ⟨dy[n], rows[r(n, j)]⟩, a slot a group.</summary>
internal struct CombineBackwardWork<T, TPiece> : IGpuWork<CombineBackwardWork<T, TPiece>>
    where T : unmanaged, IElement<T>
    where TPiece : struct, IPiece
{
    public ExpertRows<T> Rows;
    public ArrayView<T> DY, DRows, DWeights;
    public long DYRow, DRow;
    public int WantsRows, WantsWeights;

    public static void Run(CombineBackwardWork<T, TPiece> w)
    {
        ArrayView<float> shared = SharedMemory.Allocate<float>(GroupReduce.Most);
        int slot = Grid.IdxX, row = w.Rows.RowOfSlot[slot];
        long dy = slot / w.Rows.Slots * w.DYRow;
        float weight = ExpertRows<T>.Weight(w.Rows, slot), sum = 0;
        for (int piece = Group.IdxX; 4 * piece < w.Rows.Width; piece += Group.DimX)
        {
            Quad gradient = TPiece.Load(w.DY, dy, piece, w.Rows.Width);
            if (w.WantsWeights != 0)
            {
                sum += Quad.Dot(gradient, TPiece.Load(w.Rows.Rows, row * w.Rows.Row, piece, w.Rows.Width));
            }

            if (w.WantsRows != 0)
            {
                TPiece.Store(w.DRows, row * w.DRow, piece, w.Rows.Width, gradient * weight);
            }
        }

        if (w.WantsWeights != 0)
        {
            sum = GroupReduce.Sum(shared, sum);
            if (Group.IdxX == 0)
            {
                w.DWeights[slot] = T.Write(sum);
            }
        }
    }
}
