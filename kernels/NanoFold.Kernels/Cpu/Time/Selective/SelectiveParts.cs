using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Time.Selective;

/// <summary>
/// Scratch for what is summed over items: of each item dIn and dOut over its channels, [items][T][N] each; of each row dLogDecay [N][C] and dSkip [C].
/// </summary>
internal readonly unsafe struct SelectiveParts
{
    private readonly byte* _into;
    private readonly byte* _from;
    private readonly byte* _decays;
    private readonly byte* _skip;

    public SelectiveParts(byte* scratch, in Walk walk, int states)
    {
        (Walk, States) = (walk, states);
        long sums = walk.Items * walk.Time * states * walk.Size, decays = (long)walk.Batch * states * walk.Width * walk.Size;
        _into = scratch;
        _from = _into + sums;
        _decays = _from + sums;
        _skip = _decays + decays;
    }

    public Walk Walk { get; }

    /// <summary>N.</summary>
    public int States { get; }

    public static long Bytes(in Walk walk, int states)
        => ((2 * walk.Items * walk.Time * states) + ((long)walk.Batch * (states + 1) * walk.Width)) * walk.Size;

    /// <summary>Sums of an item at a place, [N].</summary>
    public byte* IntoAt(long item, int place) => _into + ((item * Walk.Time) + place) * States * Walk.Size;

    public byte* FromAt(long item, int place) => _from + ((item * Walk.Time) + place) * States * Walk.Size;

    /// <summary>Of a row, [N][C].</summary>
    public byte* DecaysAt(int row) => _decays + (nint)row * States * Walk.Width * Walk.Size;

    public byte* SkipAt(int row) => _skip + (nint)row * Walk.Width * Walk.Size;

    public byte* SkipAt<V>(in SelectiveProblem.Item item)
        where V : struct, ICpuLane<V>
        => SkipAt(item.Row) + (nint)item.Channel * V.Type.Size();

    public void ClearSkip<V>(in SelectiveProblem.Item item)
        where V : struct, ICpuLane<V>
        => new Span<byte>(SkipAt<V>(item), item.Channels * V.Type.Size()).Clear();

    public void Put<V>(long item, int row, int first, int number, in SelectiveWalk<V> walk)
        where V : struct, ICpuLane<V>
    {
        for (int t = 0; t < walk.Places; t++)
        {
            byte* into = IntoAt(item, first + t), from = FromAt(item, first + t);
            for (int i = 0; i < walk.Numbers; i++)
            {
                Element.Set<V>(into, number + i, walk.IntoSum(t, i));
                Element.Set<V>(from, number + i, walk.FromSum(t, i));
            }
        }
    }

    /// <summary>dLogDecay = A dA of an item's channels.</summary>
    public void PutDecays<V>(in SelectiveProblem.Item item, in SelectiveProblem problem, byte* decays, byte* dDecays)
        where V : struct, ICpuLane<V>
    {
        nint all = (nint)item.Blocks<V>() * States * V.Width;
        for (nint i = 0; i < all; i += V.Width)
        {
            V.Store(dDecays, i, V.Load(dDecays, i) * V.Load(decays, i));
        }

        StateRows.Write<V>(DecaysAt(item.Row) + (nint)item.Channel * V.Type.Size(), item, problem, dDecays);
    }
}

/// <summary>Adds the parts up, in their order: a work item is a stretch of places of a row, or the last one of all: dLogDecay and dSkip.</summary>
internal unsafe struct SelectiveSumWork : ILaneWork
{
    private const int Places = 256;

    public required SelectiveParts Parts;
    public required Steps DIn;
    public required Steps DOut;
    public required bool AccumulateIn;
    public required bool AccumulateOut;
    public required byte* DLogDecay;
    public required byte* DSkip;

    private readonly int Stretches => (Parts.Walk.Time + Places - 1) / Places;

    public readonly long Items => (long)Parts.Walk.Batch * Stretches + 1;

    public readonly void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        if (item == Items - 1)
        {
            Parameters<V>();
            return;
        }

        int row = (int)(item / Stretches), first = (int)(item - (long)row * Stretches) * Places;
        long parts = Parts.Walk.Items / Parts.Walk.Batch, from = row * parts;
        for (int place = first; place < Math.Min(first + Places, Parts.Walk.Time); place++)
        {
            for (int n = 0; n < Parts.States; n += V.Width)
            {
                int count = Math.Min(V.Width, Parts.States - n);
                V into = V.Constant(0), output = into;
                for (long part = from; part < from + parts; part++)
                {
                    into += LaneRow.Load<V>(Parts.IntoAt(part, place), n, count);
                    output += LaneRow.Load<V>(Parts.FromAt(part, place), n, count);
                }

                Put(DIn.AtOrNull(row, place, 0), n, count, into, AccumulateIn);
                Put(DOut.AtOrNull(row, place, 0), n, count, output, AccumulateOut);
            }
        }
    }

    private static void Put<V>(byte* target, int n, int count, V value, bool accumulate)
        where V : struct, ICpuLane<V>
    {
        if (target is not null)
        {
            LaneRow.Store(target, n, count, accumulate ? LaneRow.Load<V>(target, n, count) + value : value);
        }
    }

    private readonly void Parameters<V>()
        where V : struct, ICpuLane<V>
    {
        for (int row = 0; row < Parts.Walk.Batch; row++)
        {
            for (int c = 0; c < Parts.Walk.Width; c++)
            {
                if (DSkip is not null)
                {
                    Element.Set<V>(DSkip, c, Element.Get<V>(DSkip, c) + Element.Get<V>(Parts.SkipAt(row), c));
                }

                for (int n = 0; DLogDecay is not null && n < Parts.States; n++)
                {
                    long at = (long)c * Parts.States + n;
                    Element.Set<V>(DLogDecay, at, Element.Get<V>(DLogDecay, at) + Element.Get<V>(Parts.DecaysAt(row), (long)n * Parts.Walk.Width + c));
                }
            }
        }
    }
}
