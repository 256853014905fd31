using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Experts;

/// <summary>y[n] = Σⱼ w[n, j] · rows[r(n, j)] (+ y) over the slots that have a row, four columns a thread.</summary>
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
        int pieces = AlignedPiece.Count(w.Rows.Width);
        long i = (long)Grid.IdxX * Group.DimX + Group.IdxX;
        int token = (int)(i / pieces), piece = (int)(i % pieces);
        if (token >= w.Rows.Tokens)
        {
            return;
        }

        Float4 sum = Float4.All(0);
        for (int slot = token * w.Rows.Slots; slot < (token + 1) * w.Rows.Slots; slot++)
        {
            int row = w.Rows.RowOfSlot[slot];
            if (row >= 0)
            {
                sum += TPiece.Load(w.Rows.Rows, row * w.Rows.Row, piece, w.Rows.Width) * ExpertRows<T>.Weight(w.Rows, slot);
            }
        }

        if (w.Accumulate != 0)
        {
            sum += TPiece.Load(w.Y, token * w.YRow, piece, w.Rows.Width);
        }

        TPiece.Store(w.Y, token * w.YRow, piece, w.Rows.Width, sum);
    }
}

/// <summary>dRows[r(n, j)] = w[n, j] · dy[n] and dw[n, j] = ⟨dy[n], rows[r(n, j)]⟩, a slot a group; dw is 0 where the slot has no row.</summary>
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
        for (int piece = Group.IdxX; row >= 0 && 4 * piece < w.Rows.Width; piece += Group.DimX)
        {
            Float4 gradient = TPiece.Load(w.DY, dy, piece, w.Rows.Width);
            if (w.WantsWeights != 0)
            {
                sum += Float4.Dot(gradient, TPiece.Load(w.Rows.Rows, row * w.Rows.Row, piece, w.Rows.Width));
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

/// <summary>Rows [N·k, C] of the slots [N, k] of tokens, and their weights.</summary>
internal struct ExpertRows<T>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> Rows, Weights;
    public ArrayView<int> RowOfSlot;

    /// <summary>Elements from one row to the next.</summary>
    public long Row;
    public int Tokens, Slots, Width, HasWeights;

    public static float Weight(in ExpertRows<T> rows, int slot) => rows.HasWeights != 0 ? T.Read(rows.Weights[slot]) : 1;
}
