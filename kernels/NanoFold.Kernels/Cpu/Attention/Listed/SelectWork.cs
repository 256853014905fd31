using NanoFold.Kernels.Cpu.Attention.Blocks;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Listed;

/// <summary>Chooses keys; an item is a batch row, a list of heads and a block of queries, whose whole rows of scores lie in scratch.</summary>
internal readonly unsafe struct SelectWork(CpuContext context, SelectProblem problem) : ILaneWork
{
    /// <summary>A multiple of the rows of a tile; with more the rows of scores leave the second-level cache sooner.</summary>
    private const int Queries = 48;

    public long Items => (long)problem.Batch * problem.Lists * BlockSizes.Count(problem.Time, Queries);

    public void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        long pairs = (long)problem.Batch * problem.Lists;
        int batch = (int)(item % pairs / problem.Lists), list = (int)(item % pairs % problem.Lists);
        // Late queries see the most keys, so they start first.
        int first = (BlockSizes.Count(problem.Time, Queries) - 1 - (int)(item / pairs)) * Queries, end = Math.Min(first + Queries, problem.Time);
        int count = Math.Clamp(problem.Seen.Queries(batch) - first, 0, end - first);
        for (int t = first + count; t < end; t++)
        {
            new Span<int>(problem.Kept(batch, list, t), problem.Most).Fill(-1);
        }

        if (count == 0)
        {
            return;
        }

        KeyBlocks keys = problem.Seen.Of(batch, first, first + count - 1), walk = keys;
        var lane = LaneSize.Of<V>();
        var scratch = new Scratch(context.Scratch(worker, new Scratch(null, problem, lane).Bytes), problem, lane);
        int heads = problem.IsWeighted ? problem.Heads : 1, firstHead = problem.IsWeighted ? 0 : list;
        for (int h = 0; h < heads; h++)
        {
            for (int r = 0; r < count; r++)
            {
                Scale<V>(problem.Q.Row<V>(batch, first + r, firstHead + h), Element.At<V>(scratch.Queries, ((h * Queries) + r) * problem.Depth));
            }
        }

        if (problem.Seen.HasDocuments)
        {
            for (int r = 0; r < count; r++)
            {
                Element.Fill<V>(scratch.Row<V>(r), keys.Total, double.NegativeInfinity);
            }
        }

        while (walk.Next())
        {
            for (int p = 0; p < walk.Count; p += 2 * V.Width)
            {
                int rows = Math.Min(2 * V.Width, walk.Count - p);
                void* from = problem.K.Row<V>(batch, walk.First + p, firstHead / (problem.Heads / problem.KeyHeads));
                BlockPacking.Transposed<V>(from, problem.K.Time, 0, 1, rows, problem.Depth, scratch.Panel, 1);
                Score<V>(scratch, batch, first, count, lane.Padded(rows), keys.IndexOf(walk.First) + p);
            }
        }

        for (int r = 0; r < count; r++)
        {
            Choose<V>(scratch, keys, batch, list, first + r, scratch.Row<V>(r));
        }
    }

    // Scores of a panel of keys, whose first has that index in the rows.
    private void Score<V>(in Scratch scratch, int batch, int first, int count, int width, int index)
        where V : struct, ICpuLane<V>
    {
        void* target = Element.At<V>(scratch.Row<V>(0), index);
        if (!problem.IsWeighted)
        {
            Tiles.Down<V>(scratch.Queries, problem.Depth, count, problem.Depth, scratch.Panel, width, target, scratch.RowLength);
            return;
        }

        V zero = default;
        for (int h = 0; h < problem.Heads; h++)
        {
            Tiles.Down<V>(
                Element.At<V>(scratch.Queries, h * Queries * problem.Depth), problem.Depth, count, problem.Depth, scratch.Panel, width, scratch.Products, 2 * V.Width);
            for (int r = 0; r < count; r++)
            {
                V weight = V.Constant(problem.Weight<V>(batch, first + r, h));
                for (int c = 0; c < width; c += V.Width)
                {
                    V x = V.Load(scratch.Products, (r * 2 * V.Width) + c);
                    // Not V.Max: what is not a number must stay that.
                    V part = weight * V.SelectGreater(zero, x, zero, x);
                    nint at = (r * scratch.RowLength) + c;
                    V.Store(target, at, h == 0 ? part : V.Load(target, at) + part);
                }
            }
        }
    }

    private void Choose<V>(in Scratch scratch, in KeyBlocks keys, int batch, int list, int query, void* row)
        where V : struct, ICpuLane<V>
    {
        Hide<V>(keys, batch, query, row);
        int* kept = problem.Kept(batch, list, query);
        int count = keys.Total, size, most = Math.Min(problem.Most, count), unordered;
        if (problem.KeySize > 1)
        {
            int blocks = Pool<V>(scratch, keys, row, problem.Seen.Position(batch, query), out int firstBlock);
            size = LargestScores.Select<V>(scratch.Pooled, blocks, most, kept, out unordered);
            for (int i = 0; i < size; i++)
            {
                kept[i] += firstBlock;
            }

            if (unordered >= 0 && most > 0)
            {
                kept[size++] = firstBlock + unordered;
            }
        }
        else
        {
            size = LargestScores.Select<V>(row, count, most, kept, out unordered);
            if (problem.Mass > 0 && unordered < 0)
            {
                size = LargestScores.Shrink<V>(row, count, problem.Mass, problem.Floor, kept, size, scratch.Values, scratch.Picked);
            }

            // Where scores have no order the query attends to one that is not a number, so that it shows.
            if (unordered >= 0 && most > 0)
            {
                kept[size++] = unordered;
            }

            for (int i = 0; i < size; i++)
            {
                kept[i] = keys.KeyAt(kept[i]);
            }
        }

        new Span<int>(kept + size, problem.Most - size).Fill(-1);
    }

    // Scores of what the query does not see become −∞.
    private void Hide<V>(in KeyBlocks keys, int batch, int query, void* row)
        where V : struct, ICpuLane<V>
    {
        (int sinkEnd, int start, int end) = problem.Seen.Row(batch, query);
        int from = Math.Clamp(start, keys.Start, Math.Max(keys.Start, keys.End)), to = Math.Clamp(end, from, Math.Max(from, keys.End));
        Fill<V>(row, Math.Min(sinkEnd, keys.SinkEnd), keys.SinkEnd + (from - keys.Start));
        Fill<V>(row, keys.SinkEnd + (to - keys.Start), keys.Total);
        int* documents = problem.Seen.Documents(batch);
        if (documents is null)
        {
            return;
        }

        int own = documents[problem.Seen.Position(batch, query)];
        for (int i = 0; i < keys.Total; i++)
        {
            if (documents[keys.KeyAt(i)] != own)
            {
                Element.Set<V>(row, i, double.NegativeInfinity);
            }
        }
    }

    // The largest score of each block; the query's own is above all.
    private int Pool<V>(in Scratch scratch, in KeyBlocks keys, void* row, int position, out int firstBlock)
        where V : struct, ICpuLane<V>
    {
        firstBlock = keys.Start / problem.KeySize;
        int blocks = keys.Total == 0 ? 0 : ((keys.End - 1) / problem.KeySize) - firstBlock + 1;
        double highest = double.NegativeInfinity;
        for (int b = 0; b < blocks; b++)
        {
            int from = Math.Max((firstBlock + b) * problem.KeySize, keys.Start), to = Math.Min((firstBlock + b + 1) * problem.KeySize, keys.End);
            double largest = double.NegativeInfinity;
            for (int j = from; j < to; j++)
            {
                double score = Element.Get<V>(row, j - keys.Start);
                largest = score <= largest ? largest : score;
            }

            Element.Set<V>(scratch.Pooled, b, largest);
            highest = largest <= highest ? highest : largest;
        }

        int own = (position / problem.KeySize) - firstBlock;
        if (Element.Get<V>(scratch.Pooled, own) < double.PositiveInfinity)
        {
            Element.Set<V>(scratch.Pooled, own, highest + Math.Abs(highest) + 1);
        }

        return blocks;
    }

    private void Scale<V>(void* q, void* target)
        where V : struct, ICpuLane<V>
    {
        V scale = V.Constant(problem.Scale);
        int d = 0;
        for (; d + V.Width <= problem.Depth; d += V.Width)
        {
            V.Store(target, d, V.Load(q, d) * scale);
        }

        if (d < problem.Depth)
        {
            V.StorePart(target, d, problem.Depth - d, V.LoadPart(q, d, problem.Depth - d) * scale);
        }
    }

    private static void Fill<V>(void* row, int from, int to)
        where V : struct, ICpuLane<V>
    {
        if (from < to)
        {
            Element.Fill<V>(Element.At<V>(row, from), to - from, double.NegativeInfinity);
        }
    }

    private readonly struct Scratch
    {
        private readonly void* _rows;

        public Scratch(void* memory, in SelectProblem problem, LaneSize lane)
        {
            var cursor = new ScratchCursor(memory);
            int heads = problem.IsWeighted ? problem.Heads : 1, two = 2 * lane.Width;
            RowLength = lane.Padded(problem.Keys) + two;
            Queries = cursor.Take((long)heads * SelectWork.Queries * problem.Depth * lane.Bytes);
            Panel = cursor.Take((long)two * problem.Depth * lane.Bytes);
            Products = cursor.Take((long)two * SelectWork.Queries * lane.Bytes);
            _rows = cursor.Take(SelectWork.Queries * (long)RowLength * lane.Bytes);
            Pooled = cursor.Take(problem.KeySize > 1 ? lane.Padded(BlockSizes.Count(problem.Keys, problem.KeySize)) * (long)lane.Bytes : 0);
            Values = cursor.Take(problem.Mass > 0 ? lane.Padded(problem.Most) * (long)lane.Bytes : 0);
            Picked = (int*)cursor.Take(problem.Mass > 0 ? problem.Most * (long)sizeof(int) : 0);
            Bytes = cursor.Used;
        }

        /// <summary>Elements between rows of scores.</summary>
        public nint RowLength { get; }

        /// <summary>Scaled queries of the block, for each head of the list.</summary>
        public void* Queries { get; }

        /// <summary>Two lanes of keys, in columns.</summary>
        public void* Panel { get; }

        /// <summary>Their products with the queries of one head.</summary>
        public void* Products { get; }

        /// <summary>Scores of the blocks of keys of one query.</summary>
        public void* Pooled { get; }

        public void* Values { get; }

        public int* Picked { get; }

        public long Bytes { get; }

        /// <summary>Scores of one query.</summary>
        public void* Row<V>(int query)
            where V : struct, ICpuLane<V>
            => Element.At<V>(_rows, query * RowLength);
    }
}
