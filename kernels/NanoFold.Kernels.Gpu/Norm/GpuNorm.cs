using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;
using NanoFold.Kernels.Gpu.OpenCl.Processor;

namespace NanoFold.Kernels.Gpu.Norm;

/// <summary>RMSNorm and LayerNorm on a GPU: x, dy read once, y, dx written once where rows are no longer than registers hold. y may be x, and dx may be dy or x.</summary>
internal sealed class GpuNorm(GpuContext context)
    : IKernel<RmsNormCall>, IKernel<RmsNormBackwardCall>, IKernel<LayerNormCall>, IKernel<LayerNormBackwardCall>, IDisposable
{
    /// <summary>Pieces of a lane at most in a forward pass.</summary>
    internal const int MostForward = 8;

    private readonly VectorNorm? _vectors = context.IsProcessor ? new VectorNorm(context) : null;

    public void Run(in RmsNormCall call)
    {
        call.Check();
        Forward<RmsKind>(RmsNormCall.Name, call.X, call.Gain, default, call.Y, call.Statistics, call.Epsilon, call.ToLength);
    }

    public void Run(in LayerNormCall call)
    {
        call.Check();
        Forward<LayerKind>(LayerNormCall.Name, call.X, call.Gain, call.Bias, call.Y, call.Statistics, call.Epsilon);
    }

    public void Run(in RmsNormBackwardCall call)
    {
        call.Check();
        Backward<RmsKind>(
            RmsNormBackwardCall.Name, call.X, call.Gain, call.Statistics, call.DY, call.DX, call.AccumulateX, call.DGain, default, call.Scratch, call.ToLength);
    }

    public void Run(in LayerNormBackwardCall call)
    {
        call.Check();
        Backward<LayerKind>(
            LayerNormBackwardCall.Name, call.X, call.Gain, call.Statistics, call.DY, call.DX, call.AccumulateX, call.DGain, call.DBias, call.Scratch);
    }

    public long ScratchBytes(in RmsNormBackwardCall shape) => shape.DGain.IsNone ? 0 : ScratchBytes(shape.X);

    public long ScratchBytes(in LayerNormBackwardCall shape) => shape.DGain.IsNone && shape.DBias.IsNone ? 0 : ScratchBytes(shape.X);

    public void Dispose() => _vectors?.Dispose();

    private long ScratchBytes(in View x) => NormGroups.MostGroups(context, x.Layout.Rows, x.Layout[-1]) * 2L * x.Layout[-1] * sizeof(float);

    private void Forward<TKind>(string op, in View x, in View gain, in View bias, in View y, in View statistics, double epsilon, bool toLength = false)
        where TKind : struct, INormKind
    {
        ByElement.NotDouble(op, x);
        if (_vectors is not null && RowNest.Of(y, x) is var rows && VectorNorm.Takes(x, rows))
        {
            _vectors.Forward(x, gain, bias, y, statistics, rows, TKind.IsCentered, toLength ? 1 : x.Layout[-1], epsilon);
            return;
        }

        bool isWhole = x.Layout[-1] % 4 == 0 && AlignedPiece.IsAligned(x) && AlignedPiece.IsAligned(y) && AlignedPiece.IsAligned(gain) && AlignedPiece.IsAligned(bias);
        ByPiece.Run(op, x, isWhole, new ForwardBody<TKind>(context, x, gain, bias, y, statistics, epsilon, toLength ? 1 : x.Layout[-1]));
    }

    private void Backward<TKind>(
        string op, in View x, in View gain, in View statistics, in View dy, in View dx, bool accumulateX, in View dGain, in View dBias, in View scratch,
        bool toLength = false)
        where TKind : struct, INormKind
    {
        ByElement.NotDouble(op, x);
        long rows = x.Layout.Rows;
        int width = x.Layout[-1];
        bool hasSums = !dGain.IsNone || !dBias.IsNone;
        if (hasSums)
        {
            RowCheck.Scratch(op, scratch, ScratchBytes(x));
        }
        else if (dx.IsNone)
        {
            return;
        }

        View partials = hasSums ? scratch.As(DType.Float32, Layout.Of(NormGroups.Groups(context, rows, width, TKind.IsCentered), 2, width)) : default;
        if (_vectors is not null && (dx.IsNone ? RowNest.Of(x, x, dy) : RowNest.Of(dx, x, dy)) is var nest && VectorNorm.Takes(x, nest))
        {
            int rowsPerGroup = NormGroups.RowsPerGroup(context, rows, width, TKind.IsCentered);
            _vectors.Backward(x, gain, statistics, dy, dx, accumulateX, partials, rowsPerGroup, nest, TKind.IsCentered, toLength ? 1 : width);
        }
        else
        {
            bool isWhole = x.Layout[-1] % 4 == 0 && AlignedPiece.IsAligned(x) && AlignedPiece.IsAligned(dy) && AlignedPiece.IsAligned(dx) && AlignedPiece.IsAligned(gain);
            ByPiece.Run(op, x, isWhole, new BackwardBody<TKind>(context, x, gain, statistics, dy, dx, accumulateX, partials, toLength ? 1 : width));
        }

        if (hasSums && _vectors is not null)
        {
            _vectors.AddPartials(partials, dGain, dBias);
        }
        else if (hasSums)
        {
            AddPartials(partials, dGain, dBias);
        }
    }

    /// <summary>Whether eight elements of rows of 16 bits can be loaded at once, which are 16 bytes.</summary>
    private static bool IsWide(in View x, in View second, in View third, in View fourth)
        => x.Type.Is16Bit() && x.Layout[-1] % 8 == 0 && AlignedPiece.IsAligned(x, 8) && AlignedPiece.IsAligned(second, 8) && AlignedPiece.IsAligned(third, 8) && AlignedPiece.IsAligned(fourth, 8);

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
            (columns + PartialSumWork.Columns - 1) / PartialSumWork.Columns, context.GroupSize);
    }

    private readonly struct ForwardBody<TKind>(GpuContext context, View x, View gain, View bias, View y, View statistics, double epsilon, float divisor) : IPieceBody
        where TKind : struct, INormKind
    {
        public void Run<T, TPiece>()
            where T : unmanaged, IElement<T>
            where TPiece : struct, IPiece
        {
            var norm = new NormOperands<T>
            {
                Shape = RowNest.Of(y, x),
                X = context.View<T>(x),
                Y = context.View<T>(y),
                Gain = context.View<T>(gain),
                Bias = context.View<T>(bias),
                Statistics = context.View<float>(statistics),
                Width = x.Layout[-1],
                Divisor = divisor,
                HasGain = gain.IsNone ? 0 : 1,
                HasBias = bias.IsNone ? 0 : 1,
                Epsilon = (float)epsilon,
            };
            var split = new NormSplit(context, norm.Width, MostForward) { IsWide = IsWide(x, y, gain, bias) };
            split.Run(new NormForwardLaunch<T, TPiece, TKind>(context, norm));
        }
    }

    private readonly struct BackwardBody<TKind>(GpuContext context, View x, View gain, View statistics, View dy, View dx, bool accumulateX, View partials, float divisor)
        : IPieceBody
        where TKind : struct, INormKind
    {
        public void Run<T, TPiece>()
            where T : unmanaged, IElement<T>
            where TPiece : struct, IPiece
        {
            var norm = new NormGradient<T>
            {
                Shape = dx.IsNone ? RowNest.Of(x, x, dy) : RowNest.Of(dx, x, dy),
                X = context.View<T>(x),
                DY = context.View<T>(dy),
                DX = context.View<T>(dx),
                Gain = context.View<T>(gain),
                Statistics = context.View<float>(statistics),
                Partials = context.View<F32>(partials),
                Width = x.Layout[-1],
                Divisor = divisor,
                RowsPerGroup = NormGroups.RowsPerGroup(context, x.Layout.Rows, x.Layout[-1], TKind.IsCentered),
                HasGain = gain.IsNone ? 0 : 1,
                HasDX = dx.IsNone ? 0 : 1,
                HasSums = partials.IsNone ? 0 : 1,
                Accumulate = accumulateX ? 1 : 0,
            };
            NormSplit split = NormGroups.Split(context, norm.Width) with { IsWide = IsWide(x, dy, dx, gain) };
            split.Run(new NormBackwardLaunch<T, TPiece, TKind>(context, norm));
        }
    }
}
