using NanoFold.Kernels.Cpu.Attention.Blocks;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Full;

/// <summary>
/// Where a worker stands in its item of the backward pass: the rows at hand, and which sums there are already. The first block that meets a key writes its sums, later ones
/// add to them; what none has met becomes 0 as soon as a later key is met.
/// </summary>
internal struct BackwardTurn(in AttentionProblem problem, in GradientProblem gradients, in KeyGradients sums, in KeyBlocks range, int batch)
{
    private readonly int _keyGroup = problem.KeyGroup;
    private readonly bool _hasParts = gradients.Plan.Parts > 1;
    private readonly bool _wantsKeys = !gradients.DK.IsNone, _wantsValues = !gradients.DV.IsNone;
    private readonly int _sinkEnd = range.SinkEnd, _start = range.Start, _end = range.End;
    private int _metValues;

    public int Batch { get; } = batch;

    public KeyGradients Sums { get; } = sums;

    public int KeyHead { get; set; }

    public int Head { get; set; }

    /// <summary>First query of the block.</summary>
    public int Start { get; set; }

    /// <summary>Keys before this one have sums of the key head.</summary>
    public int MetKeys { get; set; }

    /// <summary>Whether dq of the block has sums.</summary>
    public bool HasQuerySums { get; set; }

    /// <summary>All keys.</summary>
    public RowPanels Keys { get; set; }

    /// <summary>dy of the block.</summary>
    public RowPanels Outputs { get; set; }

    /// <summary>Whether dk of keys [first, end) is to be added to.</summary>
    public bool MeetKeys<V>(int first, int end)
        where V : struct, ICpuLane<V>
    {
        int met = MetKeys;
        MetKeys = Math.Max(met, end);
        int to = first >= met ? first : end;
        if (met < to && _wantsKeys)
        {
            (int low, int sinkEnd, int start, int stop) = Missing(met, to);
            Sums.ZeroKeys<V>(KeyHead % _keyGroup, low, sinkEnd);
            Sums.ZeroKeys<V>(KeyHead % _keyGroup, start, stop);
        }

        return first < met;
    }

    /// <summary>Whether dv of keys [first, end) is to be added to.</summary>
    public bool MeetValues<V>(int first, int end)
        where V : struct, ICpuLane<V>
    {
        int met = _metValues;
        _metValues = Math.Max(met, end);
        int to = first >= met ? first : end;
        if (met < to && _wantsValues)
        {
            (int low, int sinkEnd, int start, int stop) = Missing(met, to);
            Sums.ZeroValues<V>(low, sinkEnd);
            Sums.ZeroValues<V>(start, stop);
        }

        return first < met;
    }

    // Of several parts each has the sums of what its own queries may see.
    private readonly (int Low, int SinkEnd, int Start, int End) Missing(int first, int end)
        => _hasParts ? (first, Math.Min(end, _sinkEnd), Math.Max(first, _start), Math.Min(end, _end)) : (first, end, end, end);
}
