using ILGPU;
using NanoFold.Kernels.Calls.Time;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Time.Legendre;

/// <summary>Legendre scans on a GPU: a thread a channel of a row, through all of time; states lie in memory, a place of those beside each other.</summary>
internal sealed class GpuLegendreScan(GpuContext context) : IKernel<LegendreScanCall>, IKernel<LegendreScanBackwardCall>
{
    public void Run(in LegendreScanCall call)
    {
        call.Check();
        ByElement.Run(LegendreScanCall.Name, call.X, new Forward(this, call));
    }

    public void Run(in LegendreScanBackwardCall call)
    {
        call.Check();
        RowCheck.Scratch(LegendreScanBackwardCall.Name, call.Scratch, ScratchBytes(call));
        ByElement.Run(LegendreScanBackwardCall.Name, call.X, new Backward(this, call));
    }

    /// <summary>Room for the state where the caller has none.</summary>
    public long ScratchBytes(in LegendreScanCall shape) => shape.State.IsNone ? States(shape.X, shape.Out) * sizeof(float) : 0;

    /// <summary>A chunk's states; what goes back, w and dOut; dDelta and dSkip.</summary>
    public long ScratchBytes(in LegendreScanBackwardCall shape)
        => (((SelectiveScanCall.Chunk + 3) * States(shape.X, shape.Out)) + (2L * shape.X.Layout[0] * shape.X.Layout[2])) * sizeof(float);

    private static long States(in View x, in View output) => (long)x.Layout[0] * output.Layout[1] * x.Layout[2];

    private void Run<T>(in LegendreScanCall call)
        where T : unmanaged, IElement<T>
    {
        RowCheck.Scratch(LegendreScanCall.Name, call.State.IsNone ? call.Scratch : call.State, ScratchBytes(call));
        LegendreView<T> view = View<T>(call.X, call.Delta, call.Out, call.Skip, call.Continues, call.Counts);
        context.LaunchThreads(
            new LegendreScanWork<T>
            {
                View = view, Y = SequenceView<T>.Of(context, call.Y, call.X.Layout),
                State = context.View<float>(call.State.IsNone ? call.Scratch : call.State), Kept = context.View<float>(call.Kept),
                HasState = call.State.IsNone ? 0 : 1, HasKept = call.Kept.IsNone ? 0 : 1,
            },
            view.Threads);
    }

    private void Run<T>(in LegendreScanBackwardCall call)
        where T : unmanaged, IElement<T>
    {
        ref readonly Layout shape = ref call.X.Layout;
        LegendreView<T> view = View<T>(call.X, call.Delta, call.Out, call.Skip, call.Continues, default);
        long states = States(call.X, call.Out), history = SelectiveScanCall.Chunk * states;
        ArrayView<float> scratch = context.View<float>(call.Scratch), outs = scratch.SubView(history + 2 * states, states);
        ArrayView<float> delta = scratch.SubView(history + 3 * states, view.Threads), skip = scratch.SubView(history + 3 * states + view.Threads, view.Threads);
        context.LaunchThreads(
            new LegendreBackwardWork<T>
            {
                View = view, DY = SequenceView<T>.Of(context, call.DY, shape), DX = SequenceView<T>.Of(context, call.DX, shape), Kept = context.View<float>(call.Kept),
                History = scratch.SubView(0, history), Carried = scratch.SubView(history, states), Solved = scratch.SubView(history + states, states),
                OutParts = outs, DeltaParts = delta, SkipParts = skip, AccumulateX = call.AccumulateX ? 1 : 0,
            },
            view.Threads);
        RowSumWork.Add(context, outs, call.DOut, shape[0]);
        RowSumWork.Add(context, delta, call.DDelta, shape[0]);
        RowSumWork.Add(context, skip, call.DSkip, shape[0]);
    }

    private LegendreView<T> View<T>(in View x, in View delta, in View output, in View skip, in View continues, in View counts)
        where T : unmanaged, IElement<T>
        => new()
        {
            X = SequenceView<T>.Of(context, x, x.Layout), Seams = Seams<T>.Of(context, continues, counts, x.Layout[1]),
            Delta = context.View<T>(delta), Out = context.View<T>(output), Skip = context.View<T>(skip),
            Threads = checked(x.Layout[0] * x.Layout[2]), Width = x.Layout[2], States = output.Layout[1], Chunks = SelectiveScanCall.Chunks(x.Layout[1]),
        };

    private readonly struct Forward(GpuLegendreScan kernel, LegendreScanCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
            => kernel.Run<T>(call);
    }

    private readonly struct Backward(GpuLegendreScan kernel, LegendreScanBackwardCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
            => kernel.Run<T>(call);
    }
}
