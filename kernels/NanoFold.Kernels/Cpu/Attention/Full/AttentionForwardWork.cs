using NanoFold.Kernels.Cpu.Attention.Blocks;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Full;

/// <summary>
/// Forward pass; an item is a batch row, a head and a chunk of queries. Each block of values is packed once per chunk and meets
/// the chunk's query blocks one after the other.
/// </summary>
internal readonly unsafe struct AttentionForwardWork : ILaneWork
{
    /// <summary>Query blocks of a chunk: packing is shared by them, and the running output of a chunk fits the second-level cache.</summary>
    private const int ChunkBlocks = 4;

    private readonly CpuContext _context;
    private readonly AttentionProblem _problem;
    private readonly int _queries, _chunks;
    private readonly long _scratchBytes;

    public AttentionForwardWork(CpuContext context, in AttentionProblem problem)
    {
        _context = context;
        _problem = problem;
        // Chunks end where lists of key blocks do.
        int together = Math.Min(problem.Lists.QuerySize, problem.Time);
        _queries = BlockSizes.Queries(together);
        _chunks = BlockSizes.Count(together, ChunkBlocks * _queries);
        int blocks = Math.Min(ChunkBlocks, BlockSizes.Count(together, _queries));
        _scratchBytes = new TileScratch(null, problem.Depth, problem.ValueDepth, _queries, blocks, LaneSize.Widest(problem.Type)).Bytes;
    }

    public long Items => (long)_problem.Batch * _problem.Heads * BlockSizes.Count(_problem.Time, _problem.Lists.QuerySize) * _chunks;

    public void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        long pairs = (long)_problem.Batch * _problem.Heads;
        int batch = (int)(item % pairs / _problem.Heads), head = (int)(item % pairs % _problem.Heads);
        int keyHead = head / _problem.Group, valueHead = keyHead / _problem.KeyGroup;
        // Late chunks see the most keys, so they start first.
        int chunk = (int)((Items - 1 - item) / pairs);
        int first = (chunk / _chunks * _problem.Lists.QuerySize) + (chunk % _chunks * ChunkBlocks * _queries);
        int rows = first < _problem.Time ? Math.Min(ChunkBlocks * _queries, _problem.Lists.Together(first, _problem.Time)) : 0;
        int blocks = BlockSizes.Count(rows, _queries);

        var lane = LaneSize.Of<V>();
        var scratch = new TileScratch(_context.Scratch(worker, _scratchBytes), _problem.Depth, _problem.ValueDepth, _queries, blocks, lane);
        Element.Count<V>(scratch.Positions, scratch.ScoreRow);

        for (int i = 0; i < blocks; i++)
        {
            int start = first + i * _queries, count = Math.Min(_queries, first + rows - start);
            OnlineSoftmax state = scratch.State(i);
            state.Start<V>(_problem.Q.Row<V>(batch, start, head), _problem.Q.Time, 0, 1, count, _problem.Depth, _problem.Scale, clears: false);
            if (_problem.HasSinkLogits)
            {
                state.Join<V>(0, count, _problem.SinkLogit<V>(head));
            }
        }

        if (rows == 0)
        {
            return;
        }

        KeyBlocks keys = _problem.KeysOf(batch, head, first, first + rows - 1);
        int started = 0, finished = 0;
        bool isInPlace = blocks == 1 && RowPanels.AreGood<V>(_problem.V.Time, _problem.ValueDepth);
        while (keys.Next())
        {
            bool packed = isInPlace;
            void* v = _problem.V.Row<V>(batch, keys.First, valueHead);
            RowPanels values = isInPlace
                ? RowPanels.InPlace<V>(v, _problem.V.Time, _problem.ValueDepth)
                : RowPanels.Packed<V>(scratch.Values, BlockSizes.Keys, lane.Lanes(_problem.ValueDepth));
            for (int i = 0; i < blocks; i++)
            {
                int start = first + i * _queries, count = Math.Min(_queries, first + rows - start);
                BlockMask mask = _problem.Mask(batch, keys, start, count);
                if (mask.IsEmpty || !_problem.DocumentsMeet(batch, keys, start, count, out int* keyDocuments, out int* queryDocuments))
                {
                    continue;
                }

                if (!packed)
                {
                    BlockPacking.Rows<V>(
                        v, _problem.V.Time, keys.Count, _problem.ValueDepth, scratch.Values, BlockSizes.Keys, 0, 1);
                    packed = true;
                }

                OnlineSoftmax state = scratch.State(i);
                mask.Products<V>(_problem.K.Row<V>(batch, keys.First, keyHead), _problem.K.Time, _problem.Depth, state.Queries, scratch.Scores, scratch.ScoreRow);
                mask.Cap<V>(scratch.Scores, scratch.ScoreRow, _problem.Cap * SoftmaxPower.BitsPerNat);
                if (_problem.HasDecay)
                {
                    mask.AddDecay<V>(
                        scratch.Scores, scratch.ScoreRow, _problem.DecayRow<V>(batch, head, start + _problem.Shift), 0,
                        _problem.DecayRow<V>(batch, head, keys.First), 0, SoftmaxPower.BitsPerNat);
                }

                mask.Hide<V>(scratch.Scores, scratch.ScoreRow, scratch.Positions);
                if (keyDocuments is not null)
                {
                    mask.HideDocuments<V>(scratch.Scores, scratch.ScoreRow, keyDocuments, queryDocuments, double.NegativeInfinity);
                }

                bool isFirst = (started & (1 << i)) == 0;
                started |= 1 << i;
                if (_problem.ValueDepth % V.Width == 0 && _problem.IsLast(batch, keys, start, count))
                {
                    finished |= 1 << i;
                    state.AddLast<V>(mask, scratch.Scores, scratch.ScoreRow, values, isFirst, _problem.Y.Row<V>(batch, start, head), _problem.Y.Time);
                }
                else
                {
                    state.Add<V>(mask, scratch.Scores, scratch.ScoreRow, values, isFirst);
                }
            }
        }

        for (int i = 0; i < blocks; i++)
        {
            int start = first + i * _queries, count = Math.Min(_queries, first + rows - start);
            OnlineSoftmax state = scratch.State(i);
            if ((started & (1 << i)) == 0)
            {
                state.Clear<V>();
            }

            if ((finished & (1 << i)) == 0)
            {
                state.Finish<V>(0, count, _problem.Y.Row<V>(batch, start, head), _problem.Y.Time);
            }

            state.WriteLogSumExp<V>(_problem.LogSumExpRow<V>(batch, head, start), count);
        }
    }
}
