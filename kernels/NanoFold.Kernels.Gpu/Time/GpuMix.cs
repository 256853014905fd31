using NanoFold.Kernels.Calls.Time;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Time;

/// <summary>Rows of matrices over time, cut off where places do not see each other, and decoding with them, on a GPU: a thread an element.</summary>
internal sealed class GpuMix(GpuContext context) : IKernel<MixRowsCall>, IKernel<MixRowsBackwardCall>, IKernel<MixStepCall>
{
    public void Run(in MixRowsCall call)
    {
        call.Check();
        ByElement.Run(MixRowsCall.Name, call.Y, new Rows(this, call));
    }

    public void Run(in MixRowsBackwardCall call)
    {
        call.Check();
        ByElement.Run(MixRowsBackwardCall.Name, call.DY, new RowsBackward(this, call));
    }

    public void Run(in MixStepCall call)
    {
        call.Check();
        ByElement.Run(MixStepCall.Name, call.V, new Step(this, call));
    }

    private void Run<T>(in MixRowsCall call)
        where T : unmanaged, IElement<T>
    {
        int threads = checked((int)call.Y.Count);
        context.LaunchThreads(
            new MixRowsWork<T>
            {
                Mix = SequenceView<T>.Of(context, call.Mix, call.Mix.Layout), Y = context.View<T>(call.Y), Seams = Seams(call.Continues, call.Y, context.View<T>(call.Continues)),
                Threads = threads, Groups = call.Y.Layout[1], Rows = call.Y.Layout[2], Width = call.Y.Layout[3], First = call.First,
            },
            threads);
    }

    private void Run<T>(in MixRowsBackwardCall call)
        where T : unmanaged, IElement<T>
    {
        int batch = call.DY.Layout[0], threads = checked((int)(call.DY.Count / batch));
        context.LaunchThreads(
            new MixRowsBackwardWork<T>
            {
                DY = context.View<T>(call.DY), DMix = SequenceView<F32>.Of(context, call.DMix, call.DMix.Layout),
                Seams = Seams(call.Continues, call.DY, context.View<T>(call.Continues)),
                Threads = threads, Batch = batch, Groups = call.DY.Layout[1], Rows = call.DY.Layout[2], Width = call.DY.Layout[3], First = call.First,
            },
            threads);
    }

    private void Run<T>(in MixStepCall call)
        where T : unmanaged, IElement<T>
    {
        ref readonly Layout shape = ref call.V.Layout;
        int threads = checked((int)call.V.Count), capacity = call.Mix.Layout[1];
        SequenceView<T> v = SequenceView<T>.Of(context, call.V, shape);
        var append = new MixAppendWork<T>
        {
            V = v, Cache = context.View<T>(call.Cache), Positions = context.View<int>(call.Positions), Counts = context.View<int>(call.Counts),
            Threads = threads, Time = shape[1], Width = shape[2], Capacity = capacity,
        };
        context.LaunchThreads(append, threads);
        context.LaunchThreads(
            new MixStepWork<T>
            {
                Append = append, Mix = SequenceView<T>.Of(context, call.Mix, call.Mix.Layout), Y = SequenceView<T>.Of(context, call.Y, shape),
                Channels = shape[2] / call.Mix.Layout[0],
            },
            threads);
    }

    private static Seams<T> Seams<T>(in View continues, in View rows, ILGPU.ArrayView<T> values)
        where T : unmanaged, IElement<T>
        => new() { Continues = values, HasContinues = continues.IsNone ? 0 : 1, Time = continues.IsNone ? rows.Layout[3] : continues.Layout[1] };

    private readonly struct Rows(GpuMix kernel, MixRowsCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
            => kernel.Run<T>(call);
    }

    private readonly struct RowsBackward(GpuMix kernel, MixRowsBackwardCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
            => kernel.Run<T>(call);
    }

    private readonly struct Step(GpuMix kernel, MixStepCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
            => kernel.Run<T>(call);
    }
}
