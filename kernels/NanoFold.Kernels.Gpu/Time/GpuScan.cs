using NanoFold.Kernels.Calls.Time;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Time;

/// <summary>Linear recurrences on a GPU: a thread walks one channel of one row through time, its neighbors the channels beside it.</summary>
internal sealed class GpuScan(GpuContext context) : IKernel<ScanCall>, IKernel<ScanBackwardCall>
{
    public void Run(in ScanCall call)
    {
        call.Check();
        ByElement.Run(ScanCall.Name, call.X, new Forward(this, call));
    }

    public void Run(in ScanBackwardCall call)
    {
        call.Check();
        ByElement.Run(ScanBackwardCall.Name, call.H, new Backward(this, call));
    }

    private void Run<T>(in ScanCall call)
        where T : unmanaged, IElement<T>
    {
        ref readonly Layout shape = ref call.X.Layout;
        int threads = checked(shape[0] * shape[2]);
        context.LaunchThreads(
            new ScanWork<T>
            {
                A = SequenceView<T>.Of(context, call.A, shape), X = SequenceView<T>.Of(context, call.X, shape), H = SequenceView<T>.Of(context, call.H, shape),
                Seams = Seams<T>.Of(context, call.Continues, call.Counts, shape[1]),
                Initial = StateView<T>.Of(context, call.Initial), Final = StateView<T>.Of(context, call.Final),
                Threads = threads, Width = shape[2], Reverse = call.Reverse ? 1 : 0,
            },
            threads);
    }

    private void Run<T>(in ScanBackwardCall call)
        where T : unmanaged, IElement<T>
    {
        ref readonly Layout shape = ref call.H.Layout;
        int threads = checked(shape[0] * shape[2]);
        context.LaunchThreads(
            new ScanBackwardWork<T>
            {
                A = SequenceView<T>.Of(context, call.A, shape), H = SequenceView<T>.Of(context, call.H, shape), DH = SequenceView<T>.Of(context, call.DH, shape),
                DX = SequenceView<T>.Of(context, call.DX, shape), DA = SequenceView<T>.Of(context, call.DA, shape),
                Seams = Seams<T>.Of(context, call.Continues, default, shape[1]),
                Initial = StateView<T>.Of(context, call.Initial), DFinal = StateView<T>.Of(context, call.DFinal), DInitial = StateView<T>.Of(context, call.DInitial),
                Threads = threads, Width = shape[2], Reverse = call.Reverse ? 1 : 0,
                AccumulateX = call.AccumulateX ? 1 : 0, AccumulateA = call.AccumulateA ? 1 : 0, AccumulateInitial = call.AccumulateInitial ? 1 : 0,
            },
            threads);
    }

    private readonly struct Forward(GpuScan kernel, ScanCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
            => kernel.Run<T>(call);
    }

    private readonly struct Backward(GpuScan kernel, ScanBackwardCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
            => kernel.Run<T>(call);
    }
}
