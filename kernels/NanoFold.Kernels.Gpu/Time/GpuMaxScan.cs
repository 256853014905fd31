using NanoFold.Kernels.Calls.Time;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Time;

/// <summary>Fading maxima on a GPU: a thread walks one channel of one row through time.</summary>
internal sealed class GpuMaxScan(GpuContext context) : IKernel<MaxScanCall>, IKernel<MaxScanBackwardCall>
{
    public void Run(in MaxScanCall call)
    {
        call.Check();
        ByElement.Run(MaxScanCall.Name, call.X, new Forward(context, call));
    }

    public void Run(in MaxScanBackwardCall call)
    {
        call.Check();
        ByElement.Run(MaxScanBackwardCall.Name, call.X, new Backward(context, call));
    }

    private readonly struct Forward(GpuContext context, MaxScanCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
        {
            ref readonly Layout shape = ref call.X.Layout;
            int threads = checked(shape[0] * shape[2]);
            context.LaunchThreads(
                new MaxScanWork<T>
                {
                    A = SequenceView<T>.Of(context, call.A, shape), X = SequenceView<T>.Of(context, call.X, shape),
                    M = SequenceView<T>.Of(context, call.M, shape), Carried = SequenceView<T>.Of(context, call.Carried, shape),
                    Seams = Seams<T>.Of(context, call.Continues, call.Counts, shape[1]), State = StateView<T>.Of(context, call.State), Threads = threads, Width = shape[2],
                },
                threads);
        }
    }

    private readonly struct Backward(GpuContext context, MaxScanBackwardCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
        {
            ref readonly Layout shape = ref call.X.Layout;
            int threads = checked(shape[0] * shape[2]);
            context.LaunchThreads(
                new MaxScanBackwardWork<T>
                {
                    X = SequenceView<T>.Of(context, call.X, shape), Carried = SequenceView<T>.Of(context, call.Carried, shape),
                    DM = SequenceView<T>.Of(context, call.DM, shape), DCarried = SequenceView<T>.Of(context, call.DCarried, shape),
                    DA = SequenceView<T>.Of(context, call.DA, shape), DX = SequenceView<T>.Of(context, call.DX, shape),
                    Seams = Seams<T>.Of(context, call.Continues, default, shape[1]),
                    Threads = threads, Width = shape[2], AccumulateA = call.AccumulateA ? 1 : 0, AccumulateX = call.AccumulateX ? 1 : 0,
                },
                threads);
        }
    }
}
