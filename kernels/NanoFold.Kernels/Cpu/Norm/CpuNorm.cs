using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Fused;

namespace NanoFold.Kernels.Cpu.Norm;

/// <summary>RMSNorm and LayerNorm on the CPU. y may be x, and dx may be dy.</summary>
public sealed unsafe class CpuNorm(CpuContext context) : INormKernels
{
    private const int MostPartials = 256;

    public void RmsNorm(in View x, in View gain, in View y, in View statistics, double epsilon)
        => Forward("rms norm", x, gain, default, y, statistics, epsilon, centered: false);

    public void LayerNorm(in View x, in View gain, in View bias, in View y, in View statistics, double epsilon)
        => Forward("layer norm", x, gain, bias, y, statistics, epsilon, centered: true);

    public void RmsNormBackward(in View x, in View gain, in View statistics, in View dy, in View dx, bool accumulateX, in View dGain, in View scratch)
        => Backward("rms norm backward", x, gain, statistics, dy, dx, accumulateX, dGain, default, scratch, centered: false);

    public void LayerNormBackward(in View x, in View gain, in View statistics, in View dy, in View dx, bool accumulateX, in View dGain, in View dBias, in View scratch)
        => Backward("layer norm backward", x, gain, statistics, dy, dx, accumulateX, dGain, dBias, scratch, centered: true);

    public long BackwardScratchBytes(long rows, int width, DType type)
        => RowBlocks.Items(rows, RowBlocks.RowsPerItem(rows, width, MostPartials)) * 2 * width * type.Size();

    private void Forward(string op, in View x, in View gain, in View bias, in View y, in View statistics, double epsilon, bool centered)
    {
        NormChecks.Forward(op, x, gain, bias, y, statistics, centered);
        int width = x.Layout[-1];
        long rows = x.Layout.Rows;
        int rowsPerItem = RowBlocks.RowsPerItem(width);
        var work = new NormForward
        {
            X = new RowSpace(x),
            Y = new RowSpace(y),
            Gain = gain.Address,
            Bias = bias.Address,
            Statistics = statistics.Address,
            Rows = rows,
            RowsPerItem = rowsPerItem,
            Width = width,
            Epsilon = epsilon,
            Centered = centered,
        };
        context.Run(x.Type, RowBlocks.Items(rows, rowsPerItem), ref work);
    }

    private void Backward(
        string op, in View x, in View gain, in View statistics, in View dy, in View dx, bool accumulateX, in View dGain, in View dBias, in View scratch, bool centered)
    {
        RowCheck.Rows(op, "x", x);
        int width = x.Layout[-1];
        long rows = x.Layout.Rows;
        NormChecks.Backward(op, x, gain, statistics, dy, dx, dGain, dBias, scratch, BackwardScratchBytes(rows, width, x.Type), centered);
        bool sums = !dGain.IsNone || !dBias.IsNone;
        long rowsPerItem = RowBlocks.RowsPerItem(rows, width, MostPartials);
        long items = RowBlocks.Items(rows, rowsPerItem);
        var work = new NormBackward
        {
            X = new RowSpace(x),
            DY = new RowSpace(dy),
            DX = dx.IsNone ? default : new RowSpace(dx),
            HasDX = !dx.IsNone,
            Gain = gain.Address,
            Statistics = statistics.Address,
            Partials = sums ? (byte*)scratch.Address : null,
            Rows = rows,
            RowsPerItem = rowsPerItem,
            Width = width,
            Accumulate = accumulateX,
            Centered = centered,
        };
        context.Run(x.Type, items, ref work);
        if (sums)
        {
            var sum = new PartialSums { Partials = (byte*)scratch.Address, Count = items, Width = width, First = dGain.Address, Second = dBias.Address };
            context.Run(x.Type, PartialSums.Items(width), ref sum);
        }
    }
}
