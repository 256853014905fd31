using NanoFold.Kernels.Cpu.Attention.Blocks;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Full;

/// <summary>One worker's memory in the backward pass.</summary>
internal readonly unsafe struct BackwardScratch
{
    /// <summary>Above any score.</summary>
    private const double Highest = 1e30;

    private readonly int _queries;

    public BackwardScratch(void* memory, in AttentionProblem problem, int queries, bool ownSums, LaneSize lane)
    {
        var cursor = new ScratchCursor(memory);
        _queries = queries;
        Columns = lane.Padded(queries);
        DepthLanes = lane.Lanes(problem.Depth);
        ValueLanes = lane.Lanes(problem.ValueDepth);
        DepthRow = lane.Padded(problem.Depth);
        int valueRow = lane.Padded(problem.ValueDepth);
        QueryColumns = cursor.Take((long)Columns * problem.Depth * lane.Bytes);
        OutputColumns = cursor.Take((long)Columns * problem.ValueDepth * lane.Bytes);
        QueryRows = cursor.Take((long)queries * DepthRow * lane.Bytes);
        OutputRows = cursor.Take((long)queries * valueRow * lane.Bytes);
        QuerySums = cursor.Take((long)queries * DepthRow * lane.Bytes);
        LogSumExp = cursor.Take((long)Columns * lane.Bytes);
        Delta = cursor.Take((long)Columns * lane.Bytes);
        Positions = cursor.Take((long)Columns * lane.Bytes);
        Scores = cursor.Take((long)BlockSizes.Keys * Columns * lane.Bytes);
        ScoreGradients = cursor.Take((long)BlockSizes.Keys * Columns * lane.Bytes);
        Keys = cursor.Take((long)problem.Keys * DepthRow * lane.Bytes);
        if (ownSums)
        {
            Sums = KeyGradients.Take(ref cursor, problem, lane);
        }

        Bytes = cursor.Used;
    }

    /// <summary>Columns of a block of scores.</summary>
    public int Columns { get; }

    public int DepthLanes { get; }

    public int ValueLanes { get; }

    /// <summary>Elements of a padded row of D.</summary>
    public int DepthRow { get; }

    /// <summary>Scaled queries and dy of the block, in columns.</summary>
    public void* QueryColumns { get; }

    public void* OutputColumns { get; }

    /// <summary>The same in rows.</summary>
    public void* QueryRows { get; }

    public void* OutputRows { get; }

    /// <summary>dq of the block, without the scale, [queries, <see cref="DepthRow"/>].</summary>
    public void* QuerySums { get; }

    /// <summary>In bits, as the scores are.</summary>
    public void* LogSumExp { get; }

    /// <summary>rowsum(dy ⊙ y).</summary>
    public void* Delta { get; }

    public void* Positions { get; }

    public void* Scores { get; }

    public void* ScoreGradients { get; }

    /// <summary>All visible keys, in rows.</summary>
    public void* Keys { get; }

    /// <summary>Set where the worker owns the sums.</summary>
    public KeyGradients Sums { get; }

    public long Bytes { get; }

    /// <summary>Scaled queries as rows of a product.</summary>
    public RowPanels QueryPanels<V>()
        where V : struct, ICpuLane<V>
        => RowPanels.Packed<V>(QueryRows, _queries, DepthLanes);

    /// <summary>Takes in queries of a head, in columns and in rows.</summary>
    public void TakeQueries<V>(in AttentionProblem problem, int batch, int head, int start, int count)
        where V : struct, ICpuLane<V>
    {
        void* q = problem.Q.Row<V>(batch, start, head);
        BlockPacking.Transposed<V>(q, problem.Q.Time, 0, 1, count, problem.Depth, QueryColumns, problem.Scale * SoftmaxPower.BitsPerNat);
        BlockPacking.Rows<V>(q, problem.Q.Time, count, problem.Depth, QueryRows, _queries, 0, problem.Scale);
        HeadRow.Zero<V>(LogSumExp, Columns);
        HeadRow.AddScaled(V.Constant(SoftmaxPower.BitsPerNat), problem.LogSumExpRow<V>(batch, head, start), LogSumExp, count);
        for (int c = 0; c < count; c += V.Width)
        {
            // Of a row that sees nothing: above any score, so that its weights are 0 and not exp(∞ − ∞).
            V logSumExp = V.Load(LogSumExp, c);
            V.Store(LogSumExp, c, V.SelectGreater(V.Constant(-Highest), logSumExp, V.Constant(Highest), logSumExp));
        }
    }

    /// <summary>Takes in their dy, in columns, and rowsum(dy ⊙ y).</summary>
    public void TakeOutputs<V>(in AttentionProblem problem, void* dy, nint dyRow, int batch, int head, int start, int count)
        where V : struct, ICpuLane<V>
    {
        BlockPacking.Transposed<V>(dy, dyRow, 0, 1, count, problem.ValueDepth, OutputColumns, 1);
        HeadRow.Dots<V>(problem.Y.Row<V>(batch, start, head), problem.Y.Time, dy, dyRow, count, problem.ValueDepth, Delta);
    }
}
