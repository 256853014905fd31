using NanoFold.Kernels.Cpu.Attention.Blocks;
using NanoFold.Kernels.Cpu.Attention.Full;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Selected;

/// <summary>
/// Backward pass over lists, key block by key block as <see cref="SelectedForwardWork"/>, from the saved log-sum-exp: P = exp(S − lse), dP = dy vᵀ,
/// dS = P ⊙ (dP − rowsum(dy ⊙ y)), dv += Pᵀ dy, dk += scale · dSᵀ q, dq += scale · dS k. Cut as the full backward pass is.
/// </summary>
internal readonly unsafe struct SelectedBackwardWork(CpuContext context, SelectedProblem problem, AttentionProblem full, GradientProblem gradients) : ILaneWork
{
    /// <summary>Above any score.</summary>
    private const double Highest = 1e30;

    private readonly int _tileKeys = SelectedPlan.Of(problem).TileKeys;

    public long Items => (long)problem.Batch * problem.KeyHeads * gradients.Plan.Parts;

    public void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        GradientPlan plan = gradients.Plan;
        long pairs = (long)problem.Batch * problem.KeyHeads;
        int batch = (int)(item % pairs / problem.KeyHeads), keyHead = (int)(item % pairs % problem.KeyHeads);
        // Late parts see the most keys, so they start first.
        int part = plan.Parts - 1 - (int)(item / pairs), first = part * plan.PartRows, rows = Math.Min(plan.PartRows, problem.Time - first);
        var lane = LaneSize.Of<V>();
        long bytes = new Scratch(null, problem, full, Math.Min(plan.PartRows, problem.Time), plan.Parts == 1, lane).Bytes;
        var scratch = new Scratch(context.Scratch(worker, bytes), problem, full, Math.Min(plan.PartRows, problem.Time), plan.Parts == 1, lane);
        var lists = new ColumnLists(scratch.Lists, problem, batch, keyHead, first, rows);
        KeyGradients sums = plan.Parts == 1 ? scratch.KeySums : gradients.Partial(full, batch, keyHead, part);
        // Parts are added where their queries see keys, whatever is listed.
        sums.Zero<V>(0, plan.Parts == 1 || problem.Lists.IsNone ? problem.Keys : problem.End(batch, first + rows - 1));
        Prepare<V>(scratch, lists, batch, rows * problem.Group);
        for (int block = 0; block < problem.Blocks; block++)
        {
            ReadOnlySpan<int> seeing = lists.Of(block);
            int start = block * problem.BlockKeys, last = (int)Math.Min(start + (long)problem.BlockKeys, problem.Keys);
            last = seeing.IsEmpty ? start : Math.Min(last, problem.End(batch, lists.Query(seeing[^1])));
            for (int key = start, keys; key < last; key += keys)
            {
                keys = Math.Min(_tileKeys, last - key);
                BlockPacking.Rows<V>(problem.K.Row<V>(batch, key, keyHead), problem.K.Time, keys, problem.Depth, scratch.Keys, keys, 0, problem.Scale);
                for (int i = 0, width = SelectedTile.Width(seeing.Length); i < seeing.Length; i += width)
                {
                    Add<V>(scratch, sums, lists, seeing.Slice(i, Math.Min(width, seeing.Length - i)), batch, keyHead, key, keys);
                }
            }
        }

        if (plan.Parts == 1)
        {
            gradients.WriteKeys<V>(full, sums, batch, 0, problem.Keys, keyHead);
        }
    }

    /// <summary>Of each column: the log-sum-exp in bits, rowsum(dy ⊙ y), and dq where it is not added to.</summary>
    private void Prepare<V>(in Scratch scratch, in ColumnLists lists, int batch, int columns)
        where V : struct, ICpuLane<V>
    {
        for (int column = 0; column < columns; column++)
        {
            int query = lists.Query(column), head = lists.Head(column);
            double logSumExp = Element.Get<V>(problem.LogSumExpAt<V>(batch, head, query), 0) * SoftmaxPower.BitsPerNat;
            // Of a row that sees nothing: above any score, so that its weights are 0 and not exp(∞ − ∞).
            Element.Set<V>(scratch.LogSumExps, column, logSumExp < -Highest ? Highest : logSumExp);
            Element.Set<V>(scratch.Deltas, column, HeadRow.Dot<V>(problem.Y.Row<V>(batch, query, head), gradients.DY.Row<V>(batch, query, head), problem.ValueDepth));
            if (!gradients.DQ.IsNone && !gradients.AccumulateQ)
            {
                HeadRow.Zero<V>(gradients.DQ.Row<V>(batch, query, head), problem.Depth);
            }
        }
    }

    private void Add<V>(in Scratch scratch, in KeyGradients sums, in ColumnLists lists, ReadOnlySpan<int> columns, int batch, int keyHead, int key, int keys)
        where V : struct, ICpuLane<V>
    {
        ref readonly SelectedTile tile = ref scratch.Tile;
        if (!tile.Start(lists, columns, batch, key, keys))
        {
            return;
        }

        tile.Pack<V>(columns.Length, batch, problem.Q, problem.Depth, tile.Queries, problem.Scale * SoftmaxPower.BitsPerNat);
        tile.Pack<V>(columns.Length, batch, gradients.DY, problem.ValueDepth, scratch.OutputColumns, 1);
        for (int i = 0; i < columns.Length; i++)
        {
            int query = tile.Query(i), head = tile.Head(i);
            BlockPacking.Rows<V>(problem.Q.Row<V>(batch, query, head), 0, 1, problem.Depth, scratch.QueryRows, SelectedTile.Columns, i, problem.Scale);
            BlockPacking.Rows<V>(gradients.DY.Row<V>(batch, query, head), 0, 1, problem.ValueDepth, scratch.OutputRows, SelectedTile.Columns, i, 1);
            Element.Set<V>(scratch.TileLogSumExps, i, Element.Get<V>(scratch.LogSumExps, columns[i]));
            Element.Set<V>(scratch.TileDeltas, i, Element.Get<V>(scratch.Deltas, columns[i]));
        }

        tile.Products<V>(problem.K.Row<V>(batch, key, keyHead), problem.K.Time, problem.Depth, tile.Queries, columns.Length, tile.Scores);
        tile.Hide<V>(columns.Length, batch, key);
        tile.Products<V>(problem.V.Row<V>(batch, key, keyHead), problem.V.Time, problem.ValueDepth, scratch.OutputColumns, columns.Length, scratch.ScoreGradients);
        for (int c = 0; c < columns.Length; c += V.Width)
        {
            ScoreGradients<V>(
                Element.At<V>(tile.Scores, c), Element.At<V>(scratch.ScoreGradients, c), tile.LaneEnd<V>(c, columns.Length),
                V.Load(scratch.TileLogSumExps, c), V.Load(scratch.TileDeltas, c));
            tile.ZeroRest<V>(tile.Scores, c, columns.Length);
            tile.ZeroRest<V>(scratch.ScoreGradients, c, columns.Length);
        }

        KeySums<V>(scratch, sums, columns.Length, key);
        if (!gradients.DQ.IsNone)
        {
            QuerySums<V>(scratch, columns.Length, batch, keys);
        }
    }

    private void KeySums<V>(in Scratch scratch, in KeyGradients sums, int count, int key)
        where V : struct, ICpuLane<V>
    {
        nint row = SelectedTile.Columns;
        int seen = scratch.Tile.End(count - 1), low = 0;
        for (int j = 0; j < seen; j += Tiles.Rows)
        {
            int rows = Math.Min(Tiles.Rows, seen - j);
            while (scratch.Tile.End(low) <= j)
            {
                low++;
            }

            if (!gradients.DV.IsNone)
            {
                Tiles.Across<V>(
                    Element.At<V>(scratch.Tile.Scores, (j * row) + low), row, 1, rows, count - low, scratch.OutputRows, SelectedTile.Columns, low,
                    scratch.ValueLanes, sums.Value<V>(key + j), sums.ValueRow);
            }

            if (!gradients.DK.IsNone)
            {
                Tiles.Across<V>(
                    Element.At<V>(scratch.ScoreGradients, (j * row) + low), row, 1, rows, count - low, scratch.QueryRows, SelectedTile.Columns, low,
                    scratch.DepthLanes, sums.Key<V>(0, key + j), sums.KeyRow);
            }
        }
    }

    private void QuerySums<V>(in Scratch scratch, int columns, int batch, int keys)
        where V : struct, ICpuLane<V>
    {
        nint row = scratch.DepthRow;
        HeadRow.Zero<V>(scratch.TileSums, columns * row);
        for (int c = 0; c < columns; c += Tiles.Rows)
        {
            int count = Math.Min(Tiles.Rows, columns - c), seen = scratch.Tile.LaneEnd<V>(c + count - 1, columns);
            if (seen > 0)
            {
                Tiles.Across<V>(
                    Element.At<V>(scratch.ScoreGradients, c), 1, SelectedTile.Columns, count, seen, scratch.Keys, keys, 0, scratch.DepthLanes,
                    Element.At<V>(scratch.TileSums, c * row), row);
            }
        }

        V one = V.Constant(1);
        for (int i = 0; i < columns; i++)
        {
            void* dq = gradients.DQ.Row<V>(batch, scratch.Tile.Query(i), scratch.Tile.Head(i));
            HeadRow.Write(Element.At<V>(scratch.TileSums, i * row), dq, problem.Depth, one, accumulate: true);
        }
    }

    /// <summary>Scores in bits become P = 2^(S − lse), their gradients dS = P · (dP − delta).</summary>
    private static void ScoreGradients<V>(void* scores, void* gradients, int end, V logSumExp, V delta)
        where V : struct, ICpuLane<V>
    {
        for (nint j = 0, i = 0; j < end; j++, i += SelectedTile.Columns)
        {
            V p = SoftmaxPower.Of(V.Load(scores, i) - logSumExp);
            V.Store(scores, i, p);
            V.Store(gradients, i, p * (V.Load(gradients, i) - delta));
        }
    }

    private readonly struct Scratch
    {
        public Scratch(void* memory, in SelectedProblem problem, in AttentionProblem full, int rows, bool ownSums, LaneSize lane)
        {
            var cursor = new ScratchCursor(memory);
            long columns = (long)rows * problem.Group;
            DepthLanes = lane.Lanes(problem.Depth);
            ValueLanes = lane.Lanes(problem.ValueDepth);
            DepthRow = lane.Padded(problem.Depth);
            int valueRow = lane.Padded(problem.ValueDepth);
            Tile = new SelectedTile(ref cursor, problem, lane);
            OutputColumns = cursor.Take((long)SelectedTile.Columns * problem.ValueDepth * lane.Bytes);
            QueryRows = cursor.Take(SelectedTile.Columns * (long)DepthRow * lane.Bytes);
            OutputRows = cursor.Take((long)SelectedTile.Columns * valueRow * lane.Bytes);
            ScoreGradients = cursor.Take((long)BlockSizes.Keys * SelectedTile.Columns * lane.Bytes);
            Keys = cursor.Take(BlockSizes.Keys * (long)DepthRow * lane.Bytes);
            TileSums = cursor.Take(SelectedTile.Columns * (long)DepthRow * lane.Bytes);
            TileLogSumExps = cursor.Take((long)SelectedTile.Columns * lane.Bytes);
            TileDeltas = cursor.Take((long)SelectedTile.Columns * lane.Bytes);
            LogSumExps = cursor.Take(columns * lane.Bytes);
            Deltas = cursor.Take(columns * lane.Bytes);
            Lists = cursor.Take(ColumnLists.Bytes(problem, rows));
            if (ownSums)
            {
                KeySums = KeyGradients.Take(ref cursor, full, lane);
            }

            Bytes = cursor.Used;
        }

        public readonly SelectedTile Tile;

        public int DepthLanes { get; }

        public int ValueLanes { get; }

        /// <summary>Elements of a padded row of D.</summary>
        public nint DepthRow { get; }

        /// <summary>dy of the tile, in columns.</summary>
        public void* OutputColumns { get; }

        /// <summary>Scaled queries and dy of the tile, in rows.</summary>
        public void* QueryRows { get; }

        public void* OutputRows { get; }

        public void* ScoreGradients { get; }

        /// <summary>The run's scaled keys, in rows.</summary>
        public void* Keys { get; }

        /// <summary>dq of the tile.</summary>
        public void* TileSums { get; }

        public void* TileLogSumExps { get; }

        public void* TileDeltas { get; }

        /// <summary>Of every column of the part, in bits.</summary>
        public void* LogSumExps { get; }

        /// <summary>rowsum(dy ⊙ y) of every column of the part.</summary>
        public void* Deltas { get; }

        public void* Lists { get; }

        /// <summary>Set where the worker owns the sums.</summary>
        public KeyGradients KeySums { get; }

        public long Bytes { get; }
    }
}
