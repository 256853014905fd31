using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Cpu.Loops;

namespace NanoFold.Kernels.Cpu.Norm;

/// <summary>RMSNorm and LayerNorm on the CPU. y may be x, and dx may be dy.</summary>
public sealed unsafe class CpuNorm(CpuContext context) 
    : IKernel<RmsNormCall>, IKernel<RmsNormBackwardCall>, IKernel<LayerNormCall>, IKernel<LayerNormBackwardCall>
{
    private const int MostPartials = 256;

    public void Run(in RmsNormCall call)
    {
        call.Check();
        Forward(call.X, call.Gain, default, call.Y, call.Statistics, call.Epsilon, centered: false, call.ToLength);
    }

    public void Run(in LayerNormCall call)
    {
        call.Check();
        Forward(call.X, call.Gain, call.Bias, call.Y, call.Statistics, call.Epsilon, centered: true);
    }

    public void Run(in RmsNormBackwardCall call)
    {
        call.Check();
        Backward(
            RmsNormBackwardCall.Name, call.X, call.Gain, call.Statistics, call.DY, call.DX, call.AccumulateX, call.DGain, default, call.Scratch, centered: false,
            call.ToLength);
    }

    public void Run(in LayerNormBackwardCall call)
    {
        call.Check();
        Backward(
            LayerNormBackwardCall.Name, call.X, call.Gain, call.Statistics, call.DY, call.DX, call.AccumulateX, call.DGain, call.DBias, call.Scratch, centered: true);
    }

    public PreparedCall? Prepare(in RmsNormCall call)
    {
        call.Check();
        return Prepare(Work(call.X, call.Gain, default, call.Y, call.Statistics, call.Epsilon, centered: false, call.ToLength), call.X.Type);
    }

    public PreparedCall? Prepare(in LayerNormCall call)
    {
        call.Check();
        return Prepare(Work(call.X, call.Gain, call.Bias, call.Y, call.Statistics, call.Epsilon, centered: true), call.X.Type);
    }

    public long ScratchBytes(in RmsNormBackwardCall shape) => shape.DGain.IsNone ? 0 : ScratchBytes(shape.X);

    public long ScratchBytes(in LayerNormBackwardCall shape) => shape.DGain.IsNone && shape.DBias.IsNone ? 0 : ScratchBytes(shape.X);

    private static long ScratchBytes(in View x)
        => RowBlocks.Items(x.Layout.Rows, RowBlocks.RowsPerItem(x.Layout.Rows, x.Layout[-1], MostPartials)) * 2 * x.Layout[-1] * x.Type.Size();

    private void Forward(in View x, in View gain, in View bias, in View y, in View statistics, double epsilon, bool centered, bool toLength = false)
    {
        NormForward work = Work(x, gain, bias, y, statistics, epsilon, centered, toLength);
        context.Run(x.Type, RowBlocks.Items(work.Rows, work.RowsPerItem), ref work);
    }

    private PreparedCall? Prepare(in NormForward work, DType type) =>
        CpuContext.Supports(type) ? context.Prepare(type, RowBlocks.Items(work.Rows, work.RowsPerItem), work) : null;

    private static NormForward Work(in View x, in View gain, in View bias, in View y, in View statistics, double epsilon, bool centered, bool toLength = false)
    {
        int width = x.Layout[-1];
        return new NormForward
        {
            X = new RowSpace(x),
            Y = new RowSpace(y),
            Gain = gain.Address,
            Bias = bias.Address,
            Statistics = statistics.Address,
            Rows = x.Layout.Rows,
            RowsPerItem = RowBlocks.RowsPerItem(width),
            Width = width,
            Divisor = toLength ? 1 : width,
            Epsilon = epsilon,
            Centered = centered,
        };
    }

    private void Backward(
        string op, in View x, in View gain, in View statistics, in View dy, in View dx, bool accumulateX, in View dGain, in View dBias, in View scratch, bool centered,
        bool toLength = false)
    {
        int width = x.Layout[-1];
        long rows = x.Layout.Rows;
        bool sums = !dGain.IsNone || !dBias.IsNone;
        if (sums)
        {
            RowCheck.Scratch(op, scratch, ScratchBytes(x));
        }

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
            Divisor = toLength ? 1 : width,
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
