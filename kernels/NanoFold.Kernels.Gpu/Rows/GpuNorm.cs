using System.Numerics;
using NanoFold.Kernels.Fused;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Rows;

/// <summary>RMSNorm and LayerNorm on a GPU: x, dy read once, y, dx written once where rows are no longer than registers hold. y may be x, and dx may be dy or x.</summary>
internal sealed class GpuNorm(GpuContext context) : INormKernels
{
    /// <summary>Groups of a backward pass at most, each with partial sums: enough to fill a large GPU, few enough that they stay in its cache.</summary>
    private const int MostGroups = 512;

    /// <summary>Rows of a run of lanes at least where there are few.</summary>
    private const int LeastRows = 4;

    /// <summary>Pieces that a lane keeps in registers.</summary>
    private const int PiecesPerLane = 2;

    public void RmsNorm(in View x, in View gain, in View y, in View statistics, double epsilon)
        => Forward("rms norm", x, gain, default, y, statistics, epsilon, isCentered: false);

    public void LayerNorm(in View x, in View gain, in View bias, in View y, in View statistics, double epsilon)
        => Forward("layer norm", x, gain, bias, y, statistics, epsilon, isCentered: true);

    public void RmsNormBackward(in View x, in View gain, in View statistics, in View dy, in View dx, bool accumulateX, in View dGain, in View scratch)
        => Backward("rms norm backward", x, gain, statistics, dy, dx, accumulateX, dGain, default, scratch, isCentered: false);

    public void LayerNormBackward(in View x, in View gain, in View statistics, in View dy, in View dx, bool accumulateX, in View dGain, in View dBias, in View scratch)
        => Backward("layer norm backward", x, gain, statistics, dy, dx, accumulateX, dGain, dBias, scratch, isCentered: true);

    public long BackwardScratchBytes(long rows, int width, DType type) => Groups(rows, RowsPerGroup(rows, width)) * 2 * width * sizeof(float);

    private void Forward(string op, in View x, in View gain, in View bias, in View y, in View statistics, double epsilon, bool isCentered)
    {
        GpuChecks.NotDouble(op, x);
        NormChecks.Forward(op, x, gain, bias, y, statistics, isCentered);
        switch (x.Type)
        {
            case DType.BFloat16:
                Forward<BF16>(x, gain, bias, y, statistics, epsilon, isCentered);
                break;
            case DType.Float16:
                Forward<F16>(x, gain, bias, y, statistics, epsilon, isCentered);
                break;
            default:
                Forward<F32>(x, gain, bias, y, statistics, epsilon, isCentered);
                break;
        }
    }

    private void Forward<T>(in View x, in View gain, in View bias, in View y, in View statistics, double epsilon, bool isCentered)
        where T : unmanaged, IElement<T>
    {
        if (x.Layout[-1] % 4 == 0 && WholePiece.IsAligned(x) && WholePiece.IsAligned(y) && WholePiece.IsAligned(gain) && WholePiece.IsAligned(bias))
        {
            Forward<T, WholePiece>(x, gain, bias, y, statistics, epsilon, isCentered);
        }
        else
        {
            Forward<T, AnyPiece>(x, gain, bias, y, statistics, epsilon, isCentered);
        }
    }

    private void Forward<T, TPiece>(in View x, in View gain, in View bias, in View y, in View statistics, double epsilon, bool isCentered)
        where T : unmanaged, IElement<T>
        where TPiece : struct, IPiece
    {
        int width = x.Layout[-1], lanes = Lanes(width);
        context.Launch(
            new NormForwardWork<T, TPiece>
            {
                Shape = RowShape.Of(y, x),
                X = context.View<T>(x),
                Y = context.View<T>(y),
                Gain = context.View<T>(gain),
                Bias = context.View<T>(bias),
                Statistics = context.View<float>(statistics),
                Width = width,
                Lanes = lanes,
                IsCentered = isCentered ? 1 : 0,
                HasGain = gain.IsNone ? 0 : 1,
                HasBias = bias.IsNone ? 0 : 1,
                Epsilon = (float)epsilon,
            },
            Groups(x.Layout.Rows, context.GroupSize / lanes), context.GroupSize);
    }

    private void Backward(
        string op, in View x, in View gain, in View statistics, in View dy, in View dx, bool accumulateX, in View dGain, in View dBias, in View scratch, bool isCentered)
    {
        GpuChecks.NotDouble(op, x);
        RowCheck.Rows(op, "x", x);
        NormChecks.Backward(op, x, gain, statistics, dy, dx, dGain, dBias, scratch, BackwardScratchBytes(x.Layout.Rows, x.Layout[-1], x.Type), isCentered);
        bool hasSums = !dGain.IsNone || !dBias.IsNone;
        if (!hasSums && dx.IsNone)
        {
            return;
        }

        View partials = default;
        int count = checked((int)Groups(x.Layout.Rows, RowsPerGroup(x.Layout.Rows, x.Layout[-1])));
        if (hasSums)
        {
            partials = scratch.As(DType.Float32, Layout.Of(count, 2, x.Layout[-1]));
        }

        switch (x.Type)
        {
            case DType.BFloat16:
                Backward<BF16>(x, gain, statistics, dy, dx, accumulateX, partials, isCentered);
                break;
            case DType.Float16:
                Backward<F16>(x, gain, statistics, dy, dx, accumulateX, partials, isCentered);
                break;
            default:
                Backward<F32>(x, gain, statistics, dy, dx, accumulateX, partials, isCentered);
                break;
        }

        if (hasSums)
        {
            AddPartials(partials, dGain, dBias);
        }
    }

    private void Backward<T>(in View x, in View gain, in View statistics, in View dy, in View dx, bool accumulateX, in View partials, bool isCentered)
        where T : unmanaged, IElement<T>
    {
        if (x.Layout[-1] % 4 == 0 && WholePiece.IsAligned(x) && WholePiece.IsAligned(dy) && WholePiece.IsAligned(dx) && WholePiece.IsAligned(gain))
        {
            Backward<T, WholePiece>(x, gain, statistics, dy, dx, accumulateX, partials, isCentered);
        }
        else
        {
            Backward<T, AnyPiece>(x, gain, statistics, dy, dx, accumulateX, partials, isCentered);
        }
    }

    private void Backward<T, TPiece>(in View x, in View gain, in View statistics, in View dy, in View dx, bool accumulateX, in View partials, bool isCentered)
        where T : unmanaged, IElement<T>
        where TPiece : struct, IPiece
    {
        int width = x.Layout[-1], rowsPerGroup = RowsPerGroup(x.Layout.Rows, width);
        context.Launch(
            new NormBackwardWork<T, TPiece>
            {
                Shape = dx.IsNone ? RowShape.Of(x, x, dy) : RowShape.Of(dx, x, dy),
                X = context.View<T>(x),
                DY = context.View<T>(dy),
                DX = context.View<T>(dx),
                Gain = context.View<T>(gain),
                Statistics = context.View<float>(statistics),
                Partials = context.View<F32>(partials),
                Width = width,
                Lanes = Lanes(width),
                RowsPerGroup = rowsPerGroup,
                IsCentered = isCentered ? 1 : 0,
                HasGain = gain.IsNone ? 0 : 1,
                HasDX = dx.IsNone ? 0 : 1,
                HasSums = partials.IsNone ? 0 : 1,
                Accumulate = accumulateX ? 1 : 0,
            },
            Groups(x.Layout.Rows, rowsPerGroup), context.GroupSize);
    }

    private void AddPartials(in View partials, in View dGain, in View dBias)
    {
        int width = partials.Layout[2], columns = dBias.IsNone ? width : 2 * width;
        context.Launch(
            new PartialSumWork
            {
                Partials = context.View<F32>(partials),
                First = context.View<float>(dGain),
                Second = context.View<float>(dBias),
                Count = partials.Layout[0],
                Width = width,
                HasFirst = dGain.IsNone ? 0 : 1,
                HasSecond = dBias.IsNone ? 0 : 1,
            },
            Groups(columns, PartialSumWork.Columns), context.GroupSize);
    }

    private int Lanes(int width)
    {
        int pieces = (WholePiece.Count(width) + PiecesPerLane - 1) / PiecesPerLane;
        return Math.Min((int)BitOperations.RoundUpToPowerOf2((uint)pieces), context.GroupSize);
    }

    private int RowsPerGroup(long rows, int width)
    {
        int runs = context.GroupSize / Lanes(width);
        return checked((int)(runs * Math.Max(LeastRows, Groups(rows, runs * MostGroups))));
    }

    private static long Groups(long rows, int rowsPerGroup) => (rows + rowsPerGroup - 1) / rowsPerGroup;
}
