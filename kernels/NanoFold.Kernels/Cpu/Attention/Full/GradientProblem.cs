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
    private readonly float* _scratch;
    private readonly int _depth, _valueDepth;

    /// <exception cref="ArgumentException">A shape, stride or type does not fit, or the scratch is too small.</exception>
    public GradientProblem(string op, in AttentionProblem problem, in AttentionGradients gradients)
    {
        problem.Shape.Check(op, gradients);
        Plan = GradientPlan.Of(problem.Shape);
        long bytes = GradientPlan.ScratchBytes(problem.Shape);
        if (bytes > 0)
        {
            RowCheck.Scratch(op, gradients.Scratch, bytes);
            _scratch = gradients.Scratch.Floats;
        }

        _depth = problem.Depth;
        _valueDepth = problem.ValueDepth;
        DY = new HeadRows(gradients.DY);
        DQ = new HeadRows(gradients.DQ);
        DK = new HeadRows(gradients.DK);
        DV = new HeadRows(gradients.DV);
        AccumulateQ = gradients.AccumulateQ;
        AccumulateK = gradients.AccumulateK;
        AccumulateV = gradients.AccumulateV;
    }

    /// <summary>Sums of one part, in the caller's scratch.</summary>
    public KeyGradients Partial(in AttentionProblem problem, int batch, int keyHead, int part)
    {
        int keyRow = GradientPlan.Padded(problem.Depth), valueRow = GradientPlan.Padded(problem.ValueDepth);
        long index = ((long)batch * problem.KeyHeads + keyHead) * Plan.Parts + part;
        float* start = _scratch + index * problem.Keys * (keyRow + valueRow);
        return new KeyGradients(start, start + (long)problem.Keys * keyRow, keyRow, valueRow);
    }

    /// <summary>dk and dv of keys [first, end) from their sums.</summary>
    public void WriteKeys<V>(in KeyGradients sums, int batch, int first, int end, int keyHead)
        where V : struct, ICpuLane<V>
    {
        double one;
        Element.Set<V>(&one, 0, 1);
        if (!DK.IsNone)
        {
            HeadRow.WriteRows<V>(
                sums.Key<V>(first), sums.KeyRow, DK.Row<V>(batch, first, keyHead), DK.Time, end - first, _depth, &one, 0, AccumulateK);
        }

        if (!DV.IsNone)
        {
            HeadRow.WriteRows<V>(
                sums.Value<V>(first), sums.ValueRow, DV.Row<V>(batch, first, keyHead), DV.Time, end - first, _valueDepth, &one, 0, AccumulateV);
        }
    }
}
