using System.Runtime.CompilerServices;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Loss;

/// <summary>dLogits = scale · (e^(logits − logSumExp) − onehot), 0 for rows without target.</summary>
internal unsafe struct CrossEntropyBackward : ILaneWork
{
    public RowSpace Logits;
    public RowSpace DLogits;
    public int* Targets;
    public void* LogSumExp;

    /// <summary>The row of targets and log-sum-exp that each row of logits belongs to; null where they are the same.</summary>
    public int* Of;
    public long Rows;
    public int Vocab;
    public int RowsPerItem;
    public double Scale;
    public bool Accumulate;

    public readonly void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        long end = Math.Min((item + 1) * RowsPerItem, Rows);
        for (long i = item * RowsPerItem; i < end; i++)
        {
            long row = Of is null ? i : Of[i];
            int target = Targets[row];
            byte* dLogits = DLogits.Row(i);
            if (target >= 0)
            {
                Softmax(Logits.Row(i), dLogits, V.Constant(Element.Get<V>(LogSumExp, row)), V.Constant(Scale));
                Element.Set<V>(dLogits, target, Element.Get<V>(dLogits, target) - Scale);
            }
            else if (!Accumulate)
            {
                Unsafe.InitBlockUnaligned(dLogits, 0, checked((uint)((long)Vocab * V.Type.Size())));
            }
        }
    }

    private readonly void Softmax<V>(void* logits, void* dLogits, V logSumExp, V scale)
        where V : struct, ICpuLane<V>
    {
        bool accumulate = Accumulate;
        nint i = 0, width = Vocab;
        for (; i <= width - V.Width; i += V.Width)
        {
            Piece<V, Whole<V>>(logits, dLogits, logSumExp, scale, accumulate, i, 0);
        }

        if (i < width)
        {
            Piece<V, Part<V>>(logits, dLogits, logSumExp, scale, accumulate, i, (int)(width - i));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Piece<V, P>(void* logits, void* dLogits, V logSumExp, V scale, bool accumulate, nint i, int count)
        where V : struct, ICpuLane<V>
        where P : struct, IPiece<V>
    {
        V value = V.Exp(P.Load(logits, i, count) - logSumExp) * scale;
        P.Store(dLogits, i, count, accumulate ? value + P.Load(dLogits, i, count) : value);
    }
}
