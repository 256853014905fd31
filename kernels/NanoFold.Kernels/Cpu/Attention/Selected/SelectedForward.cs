using NanoFold.Kernels.Cpu.Attention.Blocks;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Selected;

/// <summary>
/// Forward pass over lists, key block by key block: the columns that see a block are gathered into tiles, and each keeps its maximum, sum and output of the
/// online softmax aside (FlashAttention, arXiv 2205.14135). So a block of keys is read once for all the queries of a part that chose it. An item is a batch
/// row, a key head and a part of the queries.
/// </summary>
internal readonly unsafe struct SelectedForwardWork(CpuContext context, SelectedProblem problem) : ILaneWork
{
    /// <summary>Below any score; finite, so that a row that saw nothing yet gives exp(0) and not exp(∞ − ∞).</summary>
    private const double Lowest = -1e30;

    private readonly SelectedPlan _plan = SelectedPlan.Of(problem);

    public long Items => (long)problem.Batch * problem.KeyHeads * _plan.Parts;

    public void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        long pairs = (long)problem.Batch * problem.KeyHeads;
        int batch = (int)(item % pairs / problem.KeyHeads), keyHead = (int)(item % pairs % problem.KeyHeads);
        // Late parts see the most keys, so they start first.
        int first = (_plan.Parts - 1 - (int)(item / pairs)) * _plan.PartRows, end = Math.Min(first + _plan.PartRows, problem.Time);
        int rows = Math.Clamp(problem.Queries(batch) - first, 0, end - first);
        for (int t = first + rows; t < end; t++)
        {
            for (int h = keyHead * problem.Group; h < (keyHead + 1) * problem.Group; h++)
            {
                HeadRow.Zero<V>(problem.Y.Row<V>(batch, t, h), problem.ValueDepth);
            }
        }

        if (rows == 0)
        {
            return;
        }

        var lane = LaneSize.Of<V>();
        long bytes = new Scratch(null, problem, _plan.PartRows, lane).Bytes;
        var scratch = new Scratch(context.Scratch(worker, bytes), problem, _plan.PartRows, lane);
        var lists = new ColumnLists(scratch.Lists, problem, batch, keyHead, first, rows);
        int columns = rows * problem.Group;
        Element.Fill<V>(scratch.Maxima, columns, Lowest);
        HeadRow.Zero<V>(scratch.Sums, columns);
        HeadRow.Zero<V>(scratch.Outputs, columns * scratch.ValueRow);
        for (int block = 0; block < problem.Blocks; block++)
        {
            ReadOnlySpan<int> seeing = lists.Of(block);
            int start = block * problem.BlockKeys, last = (int)Math.Min(start + (long)problem.BlockKeys, problem.Keys);
            last = seeing.IsEmpty ? start : Math.Min(last, problem.End(batch, lists.Query(seeing[^1])));
            for (int key = start, keys; key < last; key += keys)
            {
                keys = Math.Min(_plan.TileKeys, last - key);
                BlockPacking.Rows<V>(problem.V.Row<V>(batch, key, keyHead), problem.V.Time, keys, problem.ValueDepth, scratch.Values, keys, 0, 1);
                for (int i = 0, width = SelectedTile.Width(seeing.Length); i < seeing.Length; i += width)
                {
                    Add<V>(scratch, lists, seeing.Slice(i, Math.Min(width, seeing.Length - i)), batch, keyHead, key, keys);
                }
            }
        }

        for (int column = 0; column < columns; column++)
        {
            Finish<V>(scratch, batch, lists.Query(column), lists.Head(column), column);
        }
    }

    private void Add<V>(in Scratch scratch, in ColumnLists lists, ReadOnlySpan<int> columns, int batch, int keyHead, int key, int keys)
        where V : struct, ICpuLane<V>
    {
        ref readonly SelectedTile tile = ref scratch.Tile;
        if (!tile.Start(lists, columns, batch, key, keys))
        {
            return;
        }

        tile.Pack<V>(columns.Length, batch, problem.Q, problem.Depth, tile.Queries, problem.Scale * SoftmaxPower.BitsPerNat);
        tile.Products<V>(problem.K.Row<V>(batch, key, keyHead), problem.K.Time, problem.Depth, tile.Queries, columns.Length, tile.Scores);
        tile.Hide<V>(columns.Length, batch, key);
        for (int c = 0; c < columns.Length; c += V.Width)
        {
            Exponentiate<V>(scratch, columns, c);
            tile.ZeroRest<V>(tile.Scores, c, columns.Length);
        }

        nint row = scratch.ValueRow;
        HeadRow.Zero<V>(scratch.TileOutputs, columns.Length * row);
        for (int c = 0; c < columns.Length; c += Tiles.Rows)
        {
            int count = Math.Min(Tiles.Rows, columns.Length - c), seen = tile.LaneEnd<V>(c + count - 1, columns.Length);
            if (seen > 0)
            {
                Tiles.Across<V>(
                    Element.At<V>(tile.Scores, c), 1, SelectedTile.Columns, count, seen, scratch.Values, keys, 0, scratch.ValueLanes,
                    Element.At<V>(scratch.TileOutputs, c * row), row);
            }
        }

        for (int i = 0; i < columns.Length; i++)
        {
            void* from = Element.At<V>(scratch.TileOutputs, i * row), to = Element.At<V>(scratch.Outputs, columns[i] * row);
            V correction = V.Splat(scratch.Corrections, i);
            for (nint e = 0; e < row; e += V.Width)
            {
                V.Store(to, e, V.MultiplyAdd(V.Load(to, e), correction, V.Load(from, e)));
            }
        }
    }

    /// <summary>Scores of a lane of columns become exponentials; maxima and sums go on.</summary>
    private static void Exponentiate<V>(in Scratch scratch, ReadOnlySpan<int> columns, int c)
        where V : struct, ICpuLane<V>
    {
        void* scores = Element.At<V>(scratch.Tile.Scores, c), gathered = scratch.Gathered;
        int count = Math.Min(V.Width, columns.Length - c), end = scratch.Tile.LaneEnd<V>(c, columns.Length);
        for (int i = 0; i < V.Width; i++)
        {
            int column = columns[c + Math.Min(i, count - 1)];
            Element.Set<V>(gathered, i, Element.Get<V>(scratch.Maxima, column));
            Element.Set<V>(gathered, V.Width + i, Element.Get<V>(scratch.Sums, column));
        }

        V before = V.Load(gathered, 0), maximum = before;
        for (nint j = 0, at = 0; j < end; j++, at += SelectedTile.Columns)
        {
            maximum = V.Max(maximum, V.Load(scores, at));
        }

        V correction = SoftmaxPower.Of(before - maximum), sum = V.Load(gathered, V.Width) * correction;
        for (nint j = 0, at = 0; j < end; j++, at += SelectedTile.Columns)
        {
            V p = SoftmaxPower.Of(V.Load(scores, at) - maximum);
            V.Store(scores, at, p);
            sum += p;
        }

        V.Store(gathered, 0, maximum);
        V.Store(gathered, V.Width, sum);
        V.Store(scratch.Corrections, c, correction);
        for (int i = 0; i < count; i++)
        {
            Element.Set<V>(scratch.Maxima, columns[c + i], Element.Get<V>(gathered, i));
            Element.Set<V>(scratch.Sums, columns[c + i], Element.Get<V>(gathered, V.Width + i));
        }
    }

    private void Finish<V>(in Scratch scratch, int batch, int query, int head, int column)
        where V : struct, ICpuLane<V>
    {
        double sum = Element.Get<V>(scratch.Sums, column);
        HeadRow.Write(
            Element.At<V>(scratch.Outputs, column * scratch.ValueRow), problem.Y.Row<V>(batch, query, head), problem.ValueDepth, V.Constant(sum == 0 ? 0 : 1 / sum));
        if (problem.LogSumExp is not null)
        {
            double maximum = Element.Get<V>(scratch.Maxima, column) * SoftmaxPower.NatsPerBit;
            Element.Set<V>(problem.LogSumExpAt<V>(batch, head, query), 0, maximum + PortableMath.Log(sum));
        }
    }

    private readonly struct Scratch
    {
        public Scratch(void* memory, in SelectedProblem problem, int rows, LaneSize lane)
        {
            var cursor = new ScratchCursor(memory);
            long columns = (long)rows * problem.Group;
            ValueLanes = lane.Lanes(problem.ValueDepth);
            ValueRow = lane.Padded(problem.ValueDepth);
            Tile = new SelectedTile(ref cursor, problem, lane);
            Values = cursor.Take((long)BlockSizes.Keys * ValueRow * lane.Bytes);
            TileOutputs = cursor.Take((long)SelectedTile.Columns * ValueRow * lane.Bytes);
            Gathered = cursor.Take(2L * lane.Width * lane.Bytes);
            Corrections = cursor.Take((long)SelectedTile.Columns * lane.Bytes);
            Maxima = cursor.Take(columns * lane.Bytes);
            Sums = cursor.Take(columns * lane.Bytes);
            Outputs = cursor.Take(columns * ValueRow * lane.Bytes);
            Lists = cursor.Take(ColumnLists.Bytes(problem, rows));
            Bytes = cursor.Used;
        }

        public readonly SelectedTile Tile;

        public int ValueLanes { get; }

        /// <summary>Elements of a padded row of DV.</summary>
        public nint ValueRow { get; }

        /// <summary>The run's values, packed.</summary>
        public void* Values { get; }

        public void* TileOutputs { get; }

        public void* Gathered { get; }

        public void* Corrections { get; }

        /// <summary>Of every column of the part, in bits.</summary>
        public void* Maxima { get; }

        public void* Sums { get; }

        /// <summary>Not yet divided by the sums.</summary>
        public void* Outputs { get; }

        public void* Lists { get; }

        public long Bytes { get; }
    }
}

/// <summary>How the queries are cut; by shapes only, never by threads.</summary>
internal readonly struct SelectedPlan
{
    /// <summary>Enough items to feed the threads of common machines.</summary>
    private const int WantedItems = 8;

    /// <summary>Columns of a part at most: their outputs stay in the second-level cache, and so many are enough to fill tiles.</summary>
    private const int MostColumns = 2048;
    private const int LeastRows = 256;

    private SelectedPlan(int rows, int time, int blockKeys)
    {
        PartRows = rows;
        Parts = BlockSizes.Count(time, rows);
        int runs = BlockSizes.Count(blockKeys, BlockSizes.Keys);
        TileKeys = BlockSizes.Count(blockKeys, runs);
    }

    public int Parts { get; }

    /// <summary>Queries of a part.</summary>
    public int PartRows { get; }

    /// <summary>Keys of a run: blocks are cut evenly.</summary>
    public int TileKeys { get; }

    public static SelectedPlan Of(in SelectedProblem problem)
    {
        long pairs = (long)problem.Batch * problem.KeyHeads;
        int wanted = (int)Math.Max(1, Math.Min((WantedItems + pairs - 1) / pairs, problem.Time / LeastRows));
        int rows = Math.Min(BlockSizes.Count(problem.Time, wanted), Math.Max(LeastRows, MostColumns / problem.Group));
        return new SelectedPlan(Math.Max(1, rows), problem.Time, problem.BlockKeys);
    }
}
