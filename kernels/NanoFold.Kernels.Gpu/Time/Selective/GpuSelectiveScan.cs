using ILGPU;
using NanoFold.Kernels.Calls.Time;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Time.Selective;

/// <summary>Selective scans on a GPU: a thread a channel and a number of its state, through all of time.</summary>
internal sealed class GpuSelectiveScan(GpuContext context) : IKernel<SelectiveScanCall>, IKernel<SelectiveScanBackwardCall>
{
    // Of a simulator's small groups.
    private const int SmallSide = 4;

    private int Side => context.IsSimulator ? SmallSide : SelectiveTile<F32>.Side;

    public void Run(in SelectiveScanCall call)
    {
        call.Check();
        ByElement.Run(SelectiveScanCall.Name, call.X, new Forward(this, call));
    }

    public void Run(in SelectiveScanBackwardCall call)
    {
        call.Check();
        RowCheck.Scratch(SelectiveScanBackwardCall.Name, call.Scratch, ScratchBytes(call));
        ByElement.Run(SelectiveScanBackwardCall.Name, call.X, new Backward(this, call));
    }

    public long ScratchBytes(in SelectiveScanBackwardCall shape)
    {
        (long sums, long decays, long skip) = Parts(shape);
        return (2 * sums + decays + skip) * sizeof(float);
    }

    private (long Sums, long Decays, long Skip) Parts(in SelectiveScanBackwardCall call)
    {
        ref readonly Layout shape = ref call.X.Layout;
        long states = call.LogDecay.Layout[1];
        return ((long)shape[0] * Groups(shape[2]) * shape[1] * states, shape[0] * states * shape[2], (long)shape[0] * shape[2]);
    }

    private int Groups(int width) => (width + Side - 1) / Side;

    private SelectiveTile<T> Tile<T>(in View x, in View delta, in View logDecay, in View input, in View output, in View skip, in View continues, in View counts)
        where T : unmanaged, IElement<T>
        => new()
        {
            X = SequenceView<T>.Of(context, x, x.Layout),
            Delta = SequenceView<T>.Of(context, delta, x.Layout),
            In = SequenceView<T>.Of(context, input, input.Layout),
            Out = SequenceView<T>.Of(context, output, input.Layout),
            Seams = Seams<T>.Of(context, continues, counts, x.Layout[1]),
            LogDecay = context.View<T>(logDecay), Skip = context.View<T>(skip),
            Width = x.Layout[2], States = logDecay.Layout[1], Channels = Side, Numbers = Side,
        };

    private void Run<T>(in SelectiveScanCall call)
        where T : unmanaged, IElement<T>
    {
        ref readonly Layout shape = ref call.X.Layout;
        context.Launch(
            new SelectiveScanWork<T>
            {
                Tile = Tile<T>(call.X, call.Delta, call.LogDecay, call.In, call.Out, call.Skip, call.Continues, call.Counts),
                Y = SequenceView<T>.Of(context, call.Y, shape),
                State = context.View<float>(call.State), Kept = context.View<float>(call.Kept),
                HasState = call.State.IsNone ? 0 : 1, HasKept = call.Kept.IsNone ? 0 : 1, Chunks = SelectiveScanCall.Chunks(shape[1]),
            },
            Groups(shape[2]), shape[0], 1, Side * Side);
    }

    private void Run<T>(in SelectiveScanBackwardCall call)
        where T : unmanaged, IElement<T>
    {
        ref readonly Layout shape = ref call.X.Layout;
        (long sums, long decays, long skip) = Parts(call);
        ArrayView<float> scratch = context.View<float>(call.Scratch);
        ArrayView<float> into = scratch.SubView(0, sums), from = scratch.SubView(sums, sums);
        ArrayView<float> decayParts = scratch.SubView(2 * sums, decays), skipParts = scratch.SubView(2 * sums + decays, skip);
        int states = call.LogDecay.Layout[1], groups = Groups(shape[2]);
        context.Launch(
            new SelectiveBackwardWork<T>
            {
                Tile = Tile<T>(call.X, call.Delta, call.LogDecay, call.In, call.Out, call.Skip, call.Continues, default),
                DY = SequenceView<T>.Of(context, call.DY, shape), DX = SequenceView<T>.Of(context, call.DX, shape), DDelta = SequenceView<T>.Of(context, call.DDelta, shape),
                Kept = context.View<float>(call.Kept), IntoParts = into, FromParts = from, DecayParts = decayParts, SkipParts = skipParts,
                Chunks = SelectiveScanCall.Chunks(shape[1]), AccumulateX = call.AccumulateX ? 1 : 0, AccumulateDelta = call.AccumulateDelta ? 1 : 0,
            },
            groups, shape[0], 1, Side * Side);
        if (!call.DIn.IsNone || !call.DOut.IsNone)
        {
            int threads = checked(shape[0] * shape[1] * states);
            context.LaunchThreads(
                new SelectiveSumWork<T>
                {
                    IntoParts = into, FromParts = from,
                    DIn = SequenceView<T>.Of(context, call.DIn, call.In.Layout), DOut = SequenceView<T>.Of(context, call.DOut, call.In.Layout),
                    Threads = threads, Time = shape[1], States = states, Groups = groups,
                    AccumulateIn = call.AccumulateIn ? 1 : 0, AccumulateOut = call.AccumulateOut ? 1 : 0,
                },
                threads);
        }

        RowSumWork.Add(context, decayParts, call.DLogDecay, shape[0]);
        RowSumWork.Add(context, skipParts, call.DSkip, shape[0]);
    }

    private readonly struct Forward(GpuSelectiveScan kernel, SelectiveScanCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
            => kernel.Run<T>(call);
    }

    private readonly struct Backward(GpuSelectiveScan kernel, SelectiveScanBackwardCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
            => kernel.Run<T>(call);
    }
}
