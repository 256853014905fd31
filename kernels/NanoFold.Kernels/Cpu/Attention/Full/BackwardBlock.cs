using NanoFold.Kernels.Cpu.Attention.Blocks;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Full;

/// <summary>A block of queries meets a block of keys in the backward pass: P and dS of both, and what they add to dv, dk, dq and dc.</summary>
internal readonly unsafe struct BackwardBlock(AttentionProblem problem, GradientProblem gradients, BackwardScratch scratch)
{
    private readonly AttentionProblem _problem = problem;
    private readonly GradientProblem _gradients = gradients;
    private readonly BackwardScratch _scratch = scratch;

    /// <param name="mask">What is visible, of which there is something.</param>
    /// <param name="turn">Where the worker stands.</param>
    /// <param name="firstKey">Of the block.</param>
    /// <param name="keyDocuments">Documents that the mask does not know, or null.</param>
    /// <param name="queryDocuments">The same of the queries.</param>
    /// <param name="dq">Where dq is to be, in whole lanes, if this is its last block; else null.</param>
    public void Add<V>(in BlockMask mask, ref BackwardTurn turn, int firstKey, int* keyDocuments, int* queryDocuments, void* dq)
        where V : struct, ICpuLane<V>
    {
        nint row = _scratch.Columns;
        void* scores = _scratch.Scores, slopes = _scratch.ScoreGradients;
        Slopes<V>(mask, turn, firstKey, keyDocuments, queryDocuments);
        if (_gradients.WantsDecay)
        {
            mask.SubtractRowSums<V>(slopes, row, turn.Sums.Decay<V>(turn.Head - (turn.KeyHead / _problem.KeyGroup * _problem.Group * _problem.KeyGroup), firstKey));
        }

        int end = firstKey + mask.Keys;
        if (!_gradients.DV.IsNone)
        {
            bool isMet = turn.MeetValues<V>(firstKey, end);
            mask.Down<V>(scores, row, turn.Outputs, turn.Sums.Value<V>(firstKey), turn.Sums.ValueRow, isMet);
        }

        if (!_gradients.DK.IsNone)
        {
            bool isMet = turn.MeetKeys<V>(firstKey, end);
            mask.Down<V>(slopes, row, _scratch.QueryPanels<V>(), turn.Sums.Key<V>(turn.KeyHead % _problem.KeyGroup, firstKey), turn.Sums.KeyRow, isMet);
        }

        if (!_gradients.DQ.IsNone)
        {
            void* before = turn.HasQuerySums ? _scratch.QuerySums : null;
            turn.HasQuerySums = true;
            if (dq is null)
            {
                mask.Across<V, SumEnd>(slopes, row, turn.Keys, firstKey, _scratch.QuerySums, _scratch.DepthRow, before, _scratch.DepthRow, default);
                return;
            }

            double scale;
            Element.Set<V>(&scale, 0, _problem.Scale);
            mask.Across<V, FactorEnd>(slopes, row, turn.Keys, firstKey, dq, _gradients.DQ.Time, before, _scratch.DepthRow, new FactorEnd(&scale, 0));
        }
    }

    /// <summary>P and dS of the block, 0 where nothing is visible.</summary>
    private void Slopes<V>(in BlockMask mask, in BackwardTurn turn, int firstKey, int* keyDocuments, int* queryDocuments)
        where V : struct, ICpuLane<V>
    {
        nint row = _scratch.Columns;
        int batch = turn.Batch;
        void* scores = _scratch.Scores, slopes = _scratch.ScoreGradients;
        void* k = _problem.K.Row<V>(batch, firstKey, turn.KeyHead), v = _problem.V.Row<V>(batch, firstKey, turn.KeyHead / _problem.KeyGroup);
        if (_problem.HasDecay || _problem.Cap > 0)
        {
            mask.Products<V>(k, _problem.K.Time, _problem.Depth, _scratch.QueryColumns, scores, row);
            mask.Cap<V>(scores, row, _problem.Cap * SoftmaxPower.BitsPerNat);
            if (_problem.HasDecay)
            {
                mask.AddDecay<V>(
                    scores, row, _problem.DecayRow<V>(batch, turn.Head, turn.Start + _problem.Shift), 0, _problem.DecayRow<V>(batch, turn.Head, firstKey), 0, SoftmaxPower.BitsPerNat);
            }

            Hide<V>(mask, keyDocuments, queryDocuments, double.NegativeInfinity);
            mask.Products<V>(v, _problem.V.Time, _problem.ValueDepth, _scratch.OutputColumns, slopes, row);
            ScoreSlopes.Of<V>(mask, scores, slopes, row, _scratch.LogSumExp, _scratch.Delta, _problem.Cap * SoftmaxPower.BitsPerNat);
            return;
        }

        mask.Products<V, PowerEnd>(k, _problem.K.Time, _problem.Depth, _scratch.QueryColumns, scores, row, _scratch.LogSumExp, default);
        Hide<V>(mask, keyDocuments, queryDocuments, 0);
        mask.Products<V, SlopeEnd>(
            v, _problem.V.Time, _problem.ValueDepth, _scratch.OutputColumns, slopes, row, _scratch.Delta, new SlopeEnd((nint)((byte*)scores - (byte*)slopes)));
        mask.ZeroMargins<V>(scores, row);
        mask.ZeroMargins<V>(slopes, row);
    }

    private void Hide<V>(in BlockMask mask, int* keyDocuments, int* queryDocuments, double value)
        where V : struct, ICpuLane<V>
    {
        mask.Hide<V>(_scratch.Scores, _scratch.Columns, _scratch.Positions, value);
        if (keyDocuments is not null)
        {
            mask.HideDocuments<V>(_scratch.Scores, _scratch.Columns, keyDocuments, queryDocuments, value);
        }
    }
}
