using NanoFold.Kernels.Calls.Time;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Time;

/// <summary>RWKV-4's time mixing on a GPU: a thread walks one channel of one row through time.</summary>
internal sealed class GpuWkv(GpuContext context) : IKernel<WkvCall>, IKernel<WkvBackwardCall>
{
    public void Run(in WkvCall call)
    {
        call.Check();
        ByElement.Run(WkvCall.Name, call.K, new Forward(context, call));
    }

    public void Run(in WkvBackwardCall call)
    {
        call.Check();
        RowCheck.Scratch(WkvBackwardCall.Name, call.Scratch, ScratchBytes(call));
        ByElement.Run(WkvBackwardCall.Name, call.K, new Backward(context, call));
    }

    // The states of a chunk, [B, 64, 3, C].
    public long ScratchBytes(in WkvBackwardCall shape) => (long)shape.K.Layout[0] * WkvCall.Chunk * WkvCall.Numbers * shape.K.Layout[2] * sizeof(float);

    private readonly struct Forward(GpuContext context, WkvCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
        {
            ref readonly Layout shape = ref call.K.Layout;
            int threads = checked(shape[0] * shape[2]);
            context.LaunchThreads(
                new WkvWork<T>
                {
                    K = SequenceView<T>.Of(context, call.K, shape), V = SequenceView<T>.Of(context, call.V, shape), Y = SequenceView<T>.Of(context, call.Y, shape),
                    Seams = Seams<T>.Of(context, call.Continues, call.Counts, shape[1]), Decay = context.View<T>(call.Decay), Bonus = context.View<T>(call.Bonus),
                    State = context.View<float>(call.State), Kept = context.View<float>(call.Kept), HasState = call.State.IsNone ? 0 : 1, HasKept = call.Kept.IsNone ? 0 : 1,
                    Threads = threads, Width = shape[2], Chunks = WkvCall.Chunks(shape[1]),
                },
                threads);
        }
    }

    private readonly struct Backward(GpuContext context, WkvBackwardCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
        {
            ref readonly Layout shape = ref call.K.Layout;
            int threads = checked(shape[0] * shape[2]);
            context.LaunchThreads(
                new WkvBackwardWork<T>
                {
                    K = SequenceView<T>.Of(context, call.K, shape), V = SequenceView<T>.Of(context, call.V, shape), DY = SequenceView<T>.Of(context, call.DY, shape),
                    DK = SequenceView<T>.Of(context, call.DK, shape), DV = SequenceView<T>.Of(context, call.DV, shape),
                    Seams = Seams<T>.Of(context, call.Continues, default, shape[1]), Decay = context.View<T>(call.Decay), Bonus = context.View<T>(call.Bonus),
                    Kept = context.View<float>(call.Kept), States = context.View<float>(call.Scratch),
                    DDecay = context.View<float>(call.DDecay), DBonus = context.View<float>(call.DBonus),
                    Threads = threads, Width = shape[2], Chunks = WkvCall.Chunks(shape[1]), AccumulateK = call.AccumulateK ? 1 : 0, AccumulateV = call.AccumulateV ? 1 : 0,
                },
                threads);
        }
    }
}
