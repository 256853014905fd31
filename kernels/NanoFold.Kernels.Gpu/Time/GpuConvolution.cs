using NanoFold.Kernels.Calls.Time;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Time;

/// <summary>Depthwise causal convolutions on a GPU: a thread an element; the weight's gradient by sums over stretches of places, added up in their order.</summary>
internal sealed class GpuConvolution(GpuContext context) : IKernel<ConvolutionCall>, IKernel<ConvolutionBackwardCall>
{
    /// <summary>Places that a thread sums at least, and stretches at most.</summary>
    private const int LeastPlaces = 64, MostStretches = 256;

    public void Run(in ConvolutionCall call)
    {
        call.Check();
        ByElement.Run(ConvolutionCall.Name, call.X, new Forward(this, call));
    }

    public void Run(in ConvolutionBackwardCall call)
    {
        call.Check();
        ByElement.Run(ConvolutionBackwardCall.Name, call.X, new Backward(this, call));
    }

    public long ScratchBytes(in ConvolutionBackwardCall shape) => shape.DWeight.IsNone && shape.DBias.IsNone
        ? 0
        : (long)Stretches(shape.X.Layout, out _) * (shape.Weight.Layout[1] + 1) * shape.X.Layout[2] * sizeof(float);

    private static int Stretches(in Layout shape, out int places)
    {
        int all = checked(shape[0] * shape[1]);
        places = Math.Max(LeastPlaces, (all + MostStretches - 1) / MostStretches);
        return (all + places - 1) / places;
    }

    private void Run<T>(in ConvolutionCall call)
        where T : unmanaged, IElement<T>
    {
        ref readonly Layout shape = ref call.X.Layout;
        int threads = checked((int)call.X.Count), taps = call.Weight.Layout[1];
        Seams<T> seams = Seams<T>.Of(context, call.Continues, call.Counts, shape[1]);
        SequenceView<T> x = SequenceView<T>.Of(context, call.X, shape);
        context.LaunchThreads(
            new ConvolutionWork<T>
            {
                X = x, Y = SequenceView<T>.Of(context, call.Y, shape), Seams = seams,
                Weight = context.View<T>(call.Weight), Bias = context.View<T>(call.Bias), State = context.View<T>(call.State),
                Threads = threads, Width = shape[2], Taps = taps, HasBias = call.Bias.IsNone ? 0 : 1, HasState = call.State.IsNone ? 0 : 1,
            },
            threads);
        if (!call.State.IsNone)
        {
            int channels = checked(shape[0] * shape[2]);
            context.LaunchThreads(
                new ConvolutionStateWork<T> { X = x, Seams = seams, State = context.View<T>(call.State), Threads = channels, Width = shape[2], Kept = taps - 1 },
                channels);
        }
    }

    private void Run<T>(in ConvolutionBackwardCall call)
        where T : unmanaged, IElement<T>
    {
        ref readonly Layout shape = ref call.X.Layout;
        int taps = call.Weight.Layout[1];
        Seams<T> seams = Seams<T>.Of(context, call.Continues, default, shape[1]);
        SequenceView<T> dy = SequenceView<T>.Of(context, call.DY, shape);
        if (!call.DX.IsNone)
        {
            int threads = checked((int)call.X.Count);
            context.LaunchThreads(
                new ConvolutionInputWork<T>
                {
                    DY = dy, DX = SequenceView<T>.Of(context, call.DX, shape), Seams = seams, Weight = context.View<T>(call.Weight),
                    Threads = threads, Width = shape[2], Taps = taps, Accumulate = call.AccumulateX ? 1 : 0,
                },
                threads);
        }

        if (call.DWeight.IsNone && call.DBias.IsNone)
        {
            return;
        }

        RowCheck.Scratch(ConvolutionBackwardCall.Name, call.Scratch, ScratchBytes(call));
        int stretches = Stretches(shape, out int places), sums = (taps + 1) * shape[2];
        var partials = context.View<float>(call.Scratch);
        context.Launch(
            new ConvolutionWeightWork<T>
            {
                X = SequenceView<T>.Of(context, call.X, shape), DY = dy, Seams = seams, Partials = partials,
                Width = shape[2], Taps = taps, Places = places, All = checked(shape[0] * shape[1]),
            },
            context.Groups(sums), stretches, 1, context.GroupSize);
        context.LaunchThreads(
            new ConvolutionSumWork
            {
                Partials = partials, DWeight = context.View<float>(call.DWeight), DBias = context.View<float>(call.DBias),
                Width = shape[2], Taps = taps, Stretches = stretches, HasWeight = call.DWeight.IsNone ? 0 : 1, HasBias = call.DBias.IsNone ? 0 : 1,
            },
            sums);
    }

    private readonly struct Forward(GpuConvolution kernel, ConvolutionCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
            => kernel.Run<T>(call);
    }

    private readonly struct Backward(GpuConvolution kernel, ConvolutionBackwardCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
            => kernel.Run<T>(call);
    }
}
