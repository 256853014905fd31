using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Full;

/// <summary>Checked gradients of a backward pass.</summary>
internal readonly unsafe struct GradientProblem
{
    public readonly HeadRows DY, DQ, DK, DV;
    public readonly bool AccumulateQ, AccumulateK, AccumulateV;
    public readonly GradientPlan Plan;
    private readonly byte* _scratch;
    private readonly View _dDecay, _dSinkLogits;
    private readonly bool _accumulateDecay, _accumulateSinkLogits;

    /// <exception cref="ArgumentException">A shape, stride or type does not fit, or the scratch is too small.</exception>
    public GradientProblem(string op, in AttentionProblem problem, in AttentionGradients gradients)
    {
        problem.Shape.Check(op, gradients);
        Plan = GradientPlan.Of(problem.Shape);
        long bytes = GradientPlan.ScratchBytes(problem.Shape);
        if (bytes > 0)
        {
            RowCheck.Scratch(op, gradients.Scratch, bytes);
            _scratch = (byte*)gradients.Scratch.Address;
        }

        DY = new HeadRows(gradients.DY);
        DQ = new HeadRows(gradients.DQ);
        DK = new HeadRows(gradients.DK);
        DV = new HeadRows(gradients.DV);
        AccumulateQ = gradients.AccumulateQ;
        AccumulateK = gradients.AccumulateK;
        AccumulateV = gradients.AccumulateV;
        _dDecay = gradients.DDecay;
        _dSinkLogits = gradients.DSinkLogits;
        _accumulateDecay = gradients.AccumulateDecay;
        _accumulateSinkLogits = gradients.AccumulateSinkLogits;
    }

    public bool WantsDecay => !_dDecay.IsNone;

    public bool WantsSinkLogits => !_dSinkLogits.IsNone;

    /// <summary>Sums of one part, in the caller's scratch.</summary>
    public KeyGradients Partial(in AttentionProblem problem, int batch, int valueHead, int part)
    {
        long index = ((long)batch * problem.ValueHeads + valueHead) * Plan.Parts + part;
        return new KeyGradients(_scratch + (index * GradientPlan.PartialBytes(problem.Shape)), problem.Shape, sizeof(float));
    }

    /// <summary>Sums of a worker; those that are written and not added to the gradients, in whole lanes, are made where they are to be.</summary>
    public KeyGradients InPlace<V>(in AttentionProblem problem, in KeyGradients sums, int batch, int valueHead)
        where V : struct, ICpuLane<V>
        => new(
            sums, IsInPlace<V>(DK, AccumulateK, problem.Depth) ? DK.Row<V>(batch, 0, valueHead * problem.KeyGroup) : null, DK.Head, DK.Time, problem.Depth,
            IsInPlace<V>(DV, AccumulateV, problem.ValueDepth) ? DV.Row<V>(batch, 0, valueHead) : null, DV.Time, problem.ValueDepth);

    /// <summary>dk, dv and dc of keys [first, end) from their sums, but for those that were made in place.</summary>
    public void WriteKeys<V>(in AttentionProblem problem, in KeyGradients sums, int batch, int first, int end, int valueHead)
        where V : struct, ICpuLane<V>
    {
        double one;
        Element.Set<V>(&one, 0, 1);
        for (int i = 0; i < problem.KeyGroup && !DK.IsNone; i++)
        {
            void* dk = DK.Row<V>(batch, first, (valueHead * problem.KeyGroup) + i);
            if (sums.Key<V>(i, first) == dk)
            {
                continue;
            }

            HeadRow.WriteRows<V>(sums.Key<V>(i, first), sums.KeyRow, dk, DK.Time, end - first, problem.Depth, &one, 0, AccumulateK);
        }

        if (!DV.IsNone && sums.Value<V>(first) != DV.Row<V>(batch, first, valueHead))
        {
            HeadRow.WriteRows<V>(
                sums.Value<V>(first), sums.ValueRow, DV.Row<V>(batch, first, valueHead), DV.Time, end - first, problem.ValueDepth, &one, 0, AccumulateV);
        }

        WriteDecay<V>(problem, sums, batch, first, end, valueHead);
    }

    /// <summary>dc alone.</summary>
    public void WriteDecay<V>(in AttentionProblem problem, in KeyGradients sums, int batch, int first, int end, int valueHead)
        where V : struct, ICpuLane<V>
    {
        int heads = problem.Heads / problem.ValueHeads;
        for (int i = 0; i < heads && WantsDecay; i++)
        {
            nint at = (((((nint)batch * problem.Heads) + (valueHead * heads)) + i) * problem.Keys) + first;
            HeadRow.Write(sums.Decay<V>(i, first), Element.At<V>(_dDecay.Address, at), end - first, V.Constant(1), _accumulateDecay);
        }
    }

    /// <summary>Adds to dc of a query's position, once those of keys are written.</summary>
    public void AddDecay<V>(in AttentionProblem problem, int batch, int head, int position, double value)
        where V : struct, ICpuLane<V>
    {
        nint at = ((((nint)batch * problem.Heads) + head) * problem.Keys) + position;
        Element.Set<V>(_dDecay.Address, at, Element.Get<V>(_dDecay.Address, at) + value);
    }

    public void WriteSinkLogit<V>(int head, double value)
        where V : struct, ICpuLane<V>
        => Element.Set<V>(_dSinkLogits.Address, head, value + (_accumulateSinkLogits ? Element.Get<V>(_dSinkLogits.Address, head) : 0));

    private static bool IsInPlace<V>(in HeadRows gradient, bool accumulates, int depth)
        where V : struct, ICpuLane<V>
        => !gradient.IsNone && !accumulates && depth % V.Width == 0;
}
