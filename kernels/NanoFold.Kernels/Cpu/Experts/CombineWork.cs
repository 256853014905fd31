using System.Runtime.CompilerServices;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Experts;

/// <summary>
/// Forward y[n] = Σⱼ w[n, j] · rows[r(n, j)]; backward dRows[r(n, j)] = w[n, j] · dy[n] and dw[n, j] = ⟨dy[n], rows[r(n, j)]⟩.
/// Each row belongs to one slot, so items share no output; a slot without a row counts as 0.
/// </summary>
internal unsafe struct CombineWork : ILaneWork
{
    public byte* Rows;
    public long RowStride;
    public byte* DRows;
    public long DRowStride;

    /// <summary>y, or dy backward.</summary>
    public byte* Token;
    public long TokenStride;
    public void* Weights;
    public void* DWeights;
    public int* RowOfSlot;
    public long Tokens;
    public int TokensPerItem;
    public int Slots;
    public int Width;
    public bool Accumulate;
    public bool Backward;

    public readonly void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        int size = V.Type.Size();
        long end = Math.Min((item + 1) * TokensPerItem, Tokens);
        for (long token = item * TokensPerItem; token < end; token++)
        {
            byte* own = Token + token * TokenStride * size;
            bool hasBegun = Accumulate;
            for (int j = 0; j < Slots; j++)
            {
                long slot = token * Slots + j, row = RowOfSlot[slot];
                if (row < 0)
                {
                    if (DWeights is not null)
                    {
                        Element.Set<V>(DWeights, slot, 0);
                    }

                    continue;
                }

                byte* values = Rows + row * RowStride * size;
                V weight = V.Constant(Weights is null ? 1 : Element.Get<V>(Weights, slot));
                if (!Backward)
                {
                    Scale(values, own, weight, hasBegun);
                    hasBegun = true;
                    continue;
                }

                if (DWeights is not null)
                {
                    Element.Set<V>(DWeights, slot, LaneSum.Of<LaneSum.Product, V>(own, values, null, default, Width));
                }

                if (DRows is not null)
                {
                    Scale(own, DRows + row * DRowStride * size, weight, accumulate: false);
                }
            }

            if (!Backward && !hasBegun)
            {
                Element.Fill<V>(own, Width, 0);
            }
        }
    }

    private readonly void Scale<V>(void* x, void* y, V weight, bool accumulate)
        where V : struct, ICpuLane<V>
    {
        nint i = 0, width = Width;
        for (; i <= width - V.Width; i += V.Width)
        {
            Piece<V, Whole<V>>(x, y, weight, accumulate, i, 0);
        }

        if (i < width)
        {
            Piece<V, Part<V>>(x, y, weight, accumulate, i, (int)(width - i));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Piece<V, P>(void* x, void* y, V weight, bool accumulate, nint i, int count)
        where V : struct, ICpuLane<V>
        where P : struct, IPiece<V>
    {
        V value = P.Load(x, i, count);
        P.Store(y, i, count, accumulate ? V.MultiplyAdd(value, weight, P.Load(y, i, count)) : value * weight);
    }
}
