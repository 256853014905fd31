using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Selected;

/// <summary>Means of blocks of tokens on the CPU; a work item is a block, or a row of a cache.</summary>
public sealed unsafe class CpuBlockMean(CpuContext context) : IKernel<BlockMeanCall>, IKernel<BlockMeanBackwardCall>, IKernel<CachedBlockMeanCall>
{
    public void Run(in BlockMeanCall call)
    {
        call.Check();
        var work = new MeanWork(context, new BlockRows(call.X, call.Documents, call.Size), new HeadRows(call.X), new HeadRows(call.Y));
        context.Run(call.X.Type, work.Items, ref work);
    }

    public void Run(in BlockMeanBackwardCall call)
    {
        call.Check();
        var work = new MeanBackwardWork(context, new BlockRows(call.DX, call.Documents, call.Size), new HeadRows(call.DY), new HeadRows(call.DX), call.Accumulate);
        context.Run(call.DX.Type, work.Items, ref work);
    }

    /// <exception cref="ArgumentException">A shape, stride or type does not fit, or a row's positions do not fit the cache.</exception>
    public void Run(in CachedBlockMeanCall call)
    {
        call.Check();
        var work = new CachedMeanWork(context, call);
        for (int b = 0; b < work.Items; b++)
        {
            work.CheckRow(b);
        }

        context.Run(call.X.Type, work.Items, ref work);
    }

    private readonly struct MeanWork(CpuContext context, BlockRows rows, HeadRows x, HeadRows y) : ILaneWork
    {
        public long Items => (long)rows.Batch * rows.Blocks;

        public void Invoke<V>(long item, int worker)
            where V : struct, ICpuLane<V>
        {
            int batch = (int)(item / rows.Blocks), block = (int)(item % rows.Blocks);
            (int first, int end) = rows.Of(batch, block);
            void* sum = context.Scratch(worker, rows.ScratchBytes<V>());
            for (int g = 0; g < rows.Heads; g++)
            {
                rows.Mean<V>(x, batch, first, end, g, sum, y.Row<V>(batch, block, g));
            }
        }
    }

    private readonly struct MeanBackwardWork(CpuContext context, BlockRows rows, HeadRows dy, HeadRows dx, bool accumulate) : ILaneWork
    {
        public long Items => (long)rows.Batch * rows.Blocks;

        public void Invoke<V>(long item, int worker)
            where V : struct, ICpuLane<V>
        {
            int batch = (int)(item / rows.Blocks), block = (int)(item % rows.Blocks);
            (int first, int end) = rows.Of(batch, block);
            void* share = context.Scratch(worker, rows.ScratchBytes<V>());
            for (int g = 0; g < rows.Heads; g++)
            {
                HeadRow.Zero<V>(share, LaneSize.Of<V>().Padded(rows.Depth));
                HeadRow.AddScaled(V.Constant(1.0 / (end - first)), dy.Row<V>(batch, block, g), share, rows.Depth);
                for (int t = block * rows.Size; t < end; t++)
                {
                    // Those before the last token's document did not count.
                    HeadRow.Write(share, dx.Row<V>(batch, t, g), rows.Depth, V.Constant(t < first ? 0 : 1), accumulate);
                }
            }
        }
    }

    private readonly struct CachedMeanWork(CpuContext context, CachedBlockMeanCall call) : ILaneWork
    {
        private readonly BlockRows _rows = new(call.Cache, default, call.Size);
        private readonly HeadRows _x = new(call.X), _cache = new(call.Cache), _means = new(call.Means);
        private readonly int* _positions = call.Positions.Ints, _counts = call.Counts.Ints;

        public long Items => _rows.Batch;

        public void Invoke<V>(long item, int worker)
            where V : struct, ICpuLane<V>
        {
            int batch = (int)item, position = _positions[batch], end = position + _counts[batch];
            nint bytes = _rows.Depth * Element.Size<V>();
            for (int t = position; t < end; t++)
            {
                for (int g = 0; g < _rows.Heads; g++)
                {
                    Buffer.MemoryCopy(_x.Row<V>(batch, t - position, g), _cache.Row<V>(batch, t, g), bytes, bytes);
                }
            }

            void* sum = context.Scratch(worker, _rows.ScratchBytes<V>());
            for (int block = position / _rows.Size; block < end / _rows.Size; block++)
            {
                for (int g = 0; g < _rows.Heads; g++)
                {
                    _rows.Mean<V>(_cache, batch, block * _rows.Size, (block + 1) * _rows.Size, g, sum, _means.Row<V>(batch, block, g));
                }
            }
        }

        public void CheckRow(int batch)
        {
            int position = _positions[batch], count = _counts[batch];
            if (position < 0 || count < 0 || count > call.X.Layout[1] || (long)position + count > call.Cache.Layout[1])
            {
                Checks.Throw(CachedBlockMeanCall.Name, $"row {batch} has {count} new tokens of {call.X.Layout[1]} at position {position} of a cache of {call.Cache.Layout[1]}");
            }
        }
    }
}

/// <summary>Which rows of a tensor [B, T, G, D] a block's mean is made of.</summary>
internal readonly unsafe struct BlockRows(in View x, in View documents, int size)
{
    private readonly int* _documents = documents.Ints;

    public int Batch { get; } = x.Layout[0];

    public int Time { get; } = x.Layout[1];

    public int Heads { get; } = x.Layout[2];

    public int Depth { get; } = x.Layout[3];

    public int Size => size;

    public int Blocks => BlockSizes.Count(Time, size);

    /// <summary>The tokens that count: those of the last one's document.</summary>
    public (int First, int End) Of(int batch, int block)
    {
        int low = block * size, end = (int)Math.Min(low + (long)size, Time), first = end - 1;
        if (_documents is null)
        {
            return (low, end);
        }

        int* row = _documents + ((long)batch * Time);
        while (first > low && row[first - 1] == row[end - 1])
        {
            first--;
        }

        return (first, end);
    }

    public long ScratchBytes<V>()
        where V : struct, ICpuLane<V>
        => (long)LaneSize.Of<V>().Padded(Depth) * LaneSize.Of<V>().Bytes;

    /// <summary>y = mean of rows [first, end) of a head, summed in their order.</summary>
    /// <param name="sum">As many bytes as <see cref="ScratchBytes{V}"/> says.</param>
    public void Mean<V>(in HeadRows rows, int batch, int first, int end, int head, void* sum, void* y)
        where V : struct, ICpuLane<V>
    {
        HeadRow.Zero<V>(sum, LaneSize.Of<V>().Padded(Depth));
        V one = V.Constant(1);
        for (int t = first; t < end; t++)
        {
            HeadRow.AddScaled(one, rows.Row<V>(batch, t, head), sum, Depth);
        }

        HeadRow.Write(sum, y, Depth, V.Constant(1.0 / (end - first)));
    }
}
