using System.Runtime.CompilerServices;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Cpu.Loss;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Experts;

/// <summary>
/// Forward: the sums over an item's rows of balance · ⟨f, p⟩ and of z · l² with l = logsumexp(logits), side by side.
/// Backward: dLogits = scale · p ⊙ (balance · (f − ⟨f, p⟩) + 2 z l), which takes p for the softmax of the logits.
/// </summary>
internal unsafe struct RouterLossWork : ILaneWork
{
    public byte* Logits;
    public long LogitStride;
    public byte* Probabilities;
    public long ProbabilityStride;

    /// <summary>Null forward.</summary>
    public byte* DLogits;
    public long DLogitStride;
    public void* Load;
    public double* Partials;
    public long Rows;
    public long RowsPerItem;
    public int Experts;
    public double Balance;
    public double Z;
    public double Scale;
    public bool Accumulate;

    public readonly void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        int size = V.Type.Size();
        double balances = 0, squares = 0;
        long end = Math.Min((item + 1) * RowsPerItem, Rows);
        for (long row = item * RowsPerItem; row < end; row++)
        {
            byte* p = Probabilities + row * ProbabilityStride * size;
            double logSumExp = Z == 0 ? 0 : LogSumExp.Of<V>(Logits + row * LogitStride * size, Experts);
            double product = Balance == 0 ? 0 : LaneSum.Of<LaneSum.Product, V>(Load, p, null, default, Experts);
            if (DLogits is null)
            {
                balances += Balance * product;
                squares += Z * logSumExp * logSumExp;
                continue;
            }

            double shift = 2 * Z * logSumExp - Balance * product;
            Gradient(p, DLogits + row * DLogitStride * size, V.Constant(Scale * Balance), V.Constant(Scale * shift));
        }

        if (DLogits is null)
        {
            Partials[2 * item] = balances;
            Partials[2 * item + 1] = squares;
        }
    }

    private readonly void Gradient<V>(void* p, void* dLogits, V slope, V shift)
        where V : struct, ICpuLane<V>
    {
        void* load = Load;
        bool accumulate = Accumulate;
        nint i = 0, width = Experts;
        for (; i <= width - V.Width; i += V.Width)
        {
            Piece<V, Whole<V>>(p, load, dLogits, slope, shift, accumulate, i, 0);
        }

        if (i < width)
        {
            Piece<V, Part<V>>(p, load, dLogits, slope, shift, accumulate, i, (int)(width - i));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Piece<V, P>(void* p, void* load, void* dLogits, V slope, V shift, bool accumulate, nint i, int count)
        where V : struct, ICpuLane<V>
        where P : struct, IPiece<V>
    {
        V value = P.Load(p, i, count) * V.MultiplyAdd(P.Load(load, i, count), slope, shift);
        P.Store(dLogits, i, count, accumulate ? value + P.Load(dLogits, i, count) : value);
    }
}
