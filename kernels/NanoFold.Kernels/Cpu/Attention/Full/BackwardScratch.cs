namespace NanoFold.Kernels.Cpu.Attention.Full;

/// <summary>One worker's memory in the backward pass.</summary>
internal readonly unsafe struct BackwardScratch
{
    public BackwardScratch(void* memory, in AttentionProblem problem, int queries, bool ownSums, LaneSize lane)
    {
        var cursor = new ScratchCursor(memory);
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
}
