using ILGPU;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Attention.Selected;

/// <summary>Means of blocks of tokens on a GPU: a thread an element, summed in the order of the tokens.</summary>
internal sealed class GpuBlockMean(GpuContext context) : IKernel<BlockMeanCall>, IKernel<BlockMeanBackwardCall>, IKernel<CachedBlockMeanCall>
{
    public void Run(in BlockMeanCall call)
    {
        call.Check();
        ByElement.Run(BlockMeanCall.Name, call.X, new ForwardBody(context, call));
    }

    public void Run(in BlockMeanBackwardCall call)
    {
        call.Check();
        ByElement.Run(BlockMeanBackwardCall.Name, call.DX, new BackwardBody(context, call));
    }

    public void Run(in CachedBlockMeanCall call)
    {
        call.Check();
        ByElement.Run(CachedBlockMeanCall.Name, call.X, new CachedBody(context, call));
    }

    private readonly struct ForwardBody(GpuContext context, BlockMeanCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
            => context.LaunchThreads(
                new BlockMeanWork<T> { X = HeadView<T>.Of(context, call.X), Y = HeadView<T>.Of(context, call.Y), Shape = BlockShapeView.Of(context, call.X, call.Documents, call.Size) },
                call.Y.Count);
    }

    private readonly struct BackwardBody(GpuContext context, BlockMeanBackwardCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
            => context.LaunchThreads(
                new BlockMeanBackwardWork<T>
                {
                    DY = HeadView<T>.Of(context, call.DY), DX = HeadView<T>.Of(context, call.DX), Shape = BlockShapeView.Of(context, call.DX, call.Documents, call.Size),
                    Accumulate = call.Accumulate ? 1 : 0,
                },
                call.DX.Count);
    }

    private readonly struct CachedBody(GpuContext context, CachedBlockMeanCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
        {
            var work = new CachedRowsWork<T>
            {
                X = HeadView<T>.Of(context, call.X), Cache = HeadView<T>.Of(context, call.Cache), Shape = BlockShapeView.Of(context, call.Cache, default, call.Size),
                Positions = context.View<int>(call.Positions), Counts = context.View<int>(call.Counts), Batch = call.X.Layout[0], Time = call.X.Layout[1],
            };
            context.LaunchThreads(work, call.X.Count);
            int most = (work.Time / call.Size) + 1;
            context.LaunchThreads(
                new CachedMeanWork<T> { Rows = work, Means = HeadView<T>.Of(context, call.Means), Most = most },
                (long)work.Batch * most * work.Shape.Heads * work.Shape.Depth);
        }
    }
}

/// <summary>A tensor [B, T, G, D] cut into blocks of tokens, with what a thread owns of it.</summary>
internal struct BlockShapeView
{
    public int Batch, Time, Heads, Depth, Size, Blocks, HasDocuments;
    public ArrayView<int> Documents;

    public static BlockShapeView Of(GpuContext context, in View x, in View documents, int size) => new()
    {
        Batch = x.Layout[0],
        Time = x.Layout[1],
        Heads = x.Layout[2],
        Depth = x.Layout[3],
        Size = size,
        Blocks = (x.Layout[1] + size - 1) / size,
        HasDocuments = documents.IsNone ? 0 : 1,
        Documents = context.View<int>(documents),
    };

    public readonly int End(int block) => IntrinsicMath.Min((block + 1) * Size, Time);

    /// <summary>First of the tokens that count: those of the last one's document.</summary>
    public readonly int First(int batch, int block)
    {
        int low = block * Size, end = End(block), first = low;
        if (HasDocuments != 0)
        {
            long row = (long)batch * Time;
            first = end - 1;
            while (first > low && Documents[row + first - 1] == Documents[row + end - 1])
            {
                first--;
            }
        }

        return first;
    }
}

internal struct BlockMeanWork<T> : IGpuWork<BlockMeanWork<T>>
    where T : unmanaged, IElement<T>
{
    public HeadView<T> X, Y;
    public BlockShapeView Shape;

    public static void Run(BlockMeanWork<T> w)
    {
        long i = ((long)Grid.IdxX * Group.DimX) + Group.IdxX;
        if (i >= (long)w.Shape.Batch * w.Shape.Blocks * w.Shape.Heads * w.Shape.Depth)
        {
            return;
        }

        int column = (int)(i % w.Shape.Depth), head = (int)(i / w.Shape.Depth % w.Shape.Heads);
        long at = i / w.Shape.Depth / w.Shape.Heads;
        int block = (int)(at % w.Shape.Blocks), batch = (int)(at / w.Shape.Blocks);
        Mean(w.X, w.Y, batch, w.Shape.First(batch, block), w.Shape.End(block), block, head, column);
    }

    /// <summary>y[block] = mean of x[first .. end).</summary>
    public static void Mean(in HeadView<T> x, in HeadView<T> y, int batch, int first, int end, int block, int head, int column)
    {
        float sum = 0;
        for (int t = first; t < end; t++)
        {
            sum += T.Read(x.Memory[x.Row(batch, t, head) + column]);
        }

        y.Memory[y.Row(batch, block, head) + column] = T.Write(sum * (1f / (end - first)));
    }
}

internal struct BlockMeanBackwardWork<T> : IGpuWork<BlockMeanBackwardWork<T>>
    where T : unmanaged, IElement<T>
{
    public HeadView<T> DY, DX;
    public BlockShapeView Shape;
    public int Accumulate;

    public static void Run(BlockMeanBackwardWork<T> w)
    {
        long i = ((long)Grid.IdxX * Group.DimX) + Group.IdxX;
        if (i >= (long)w.Shape.Batch * w.Shape.Time * w.Shape.Heads * w.Shape.Depth)
        {
            return;
        }

        int column = (int)(i % w.Shape.Depth), head = (int)(i / w.Shape.Depth % w.Shape.Heads);
        long at = i / w.Shape.Depth / w.Shape.Heads;
        int t = (int)(at % w.Shape.Time), batch = (int)(at / w.Shape.Time), block = t / w.Shape.Size, first = w.Shape.First(batch, block);
        float share = 0;
        if (t >= first)
        {
            share = T.Read(w.DY.Memory[w.DY.Row(batch, block, head) + column]) / (w.Shape.End(block) - first);
        }

        long target = w.DX.Row(batch, t, head) + column;
        w.DX.Memory[target] = T.Write(w.Accumulate != 0 ? T.Read(w.DX.Memory[target]) + share : share);
    }
}

/// <summary>Writes new rows to their places in a cache; what memory says that cannot be is no row.</summary>
internal struct CachedRowsWork<T> : IGpuWork<CachedRowsWork<T>>
    where T : unmanaged, IElement<T>
{
    public HeadView<T> X, Cache;

    /// <summary>Of the cache.</summary>
    public BlockShapeView Shape;
    public ArrayView<int> Positions, Counts;
    public int Batch, Time;

    public readonly int Count(int batch)
    {
        int count = Counts[batch], position = Positions[batch];
        return position < 0 || count < 0 || count > Time || position > Shape.Time - count ? 0 : count;
    }

    public static void Run(CachedRowsWork<T> w)
    {
        long i = ((long)Grid.IdxX * Group.DimX) + Group.IdxX;
        if (i >= (long)w.Batch * w.Time * w.Shape.Heads * w.Shape.Depth)
        {
            return;
        }

        int column = (int)(i % w.Shape.Depth), head = (int)(i / w.Shape.Depth % w.Shape.Heads);
        long at = i / w.Shape.Depth / w.Shape.Heads;
        int t = (int)(at % w.Time), batch = (int)(at / w.Time);
        if (t < w.Count(batch))
        {
            w.Cache.Memory[w.Cache.Row(batch, w.Positions[batch] + t, head) + column] = w.X.Memory[w.X.Row(batch, t, head) + column];
        }
    }
}

/// <summary>Means of the blocks that new rows complete.</summary>
internal struct CachedMeanWork<T> : IGpuWork<CachedMeanWork<T>>
    where T : unmanaged, IElement<T>
{
    public CachedRowsWork<T> Rows;
    public HeadView<T> Means;

    /// <summary>Blocks that the new rows of a row may complete.</summary>
    public int Most;

    public static void Run(CachedMeanWork<T> w)
    {
        BlockShapeView shape = w.Rows.Shape;
        long i = ((long)Grid.IdxX * Group.DimX) + Group.IdxX;
        if (i >= (long)w.Rows.Batch * w.Most * shape.Heads * shape.Depth)
        {
            return;
        }

        int column = (int)(i % shape.Depth), head = (int)(i / shape.Depth % shape.Heads);
        long at = i / shape.Depth / shape.Heads;
        int batch = (int)(at / w.Most), count = w.Rows.Count(batch), position = w.Rows.Positions[batch];
        int block = (position / shape.Size) + (int)(at % w.Most);
        if (count > 0 && block < (position + count) / shape.Size)
        {
            BlockMeanWork<T>.Mean(w.Rows.Cache, w.Means, batch, block * shape.Size, (block + 1) * shape.Size, block, head, column);
        }
    }
}
