using ILGPU;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Experts;

/// <summary>
/// The balance and z-loss of a router, as on the CPU. The number of micro-batches is read on the device; where it was not set, the loss is not finite.
/// </summary>
internal sealed class GpuRouterLoss(GpuContext context) : IKernel<RouterLossCall>, IKernel<RouterLossBackwardCall>
{
    public void Run(in RouterLossCall call)
    {
        call.Check();
        View logits = call.Logits;
        int groups = context.Groups(logits.Layout[0]);
        ArrayView<double> partial = context.Scratch(2 * groups * sizeof(double)).Cast<double>();
        ByElement.Run(RouterLossCall.Name, logits, new ForwardBody(context, call, partial));

        context.Launch(
            new RouterLoadWork
            {
                Offsets = context.View<int>(call.Offsets), Partial = partial, Load = context.View<float>(call.Load), Loss = context.View<float>(call.Loss), State = context.Slots(call.State),
                BalanceTerm = (int)call.BalanceTerm, ZTerm = (int)call.ZTerm, Partials = groups, Rows = logits.Layout[0], Experts = logits.Layout[1],
            },
            1, context.GroupSize);
    }

    public void Run(in RouterLossBackwardCall call)
    {
        call.Check();
        ByElement.Run(RouterLossBackwardCall.Name, call.Logits, new BackwardBody(context, call));
    }

    private static RouterRow<T> Row<T>(GpuContext context, in View logits, in View probabilities, double balance, double z)
        where T : unmanaged, IElement<T>
        => new()
        {
            Logits = context.View<T>(logits), Probabilities = context.View<T>(probabilities), LogitRow = logits.Layout.Stride(0),
            ProbabilityRow = probabilities.Layout.Stride(0), Rows = logits.Layout[0], Experts = logits.Layout[1],
            Balance = (float)(balance * logits.Layout[1]), Z = (float)z,
        };

    private readonly struct ForwardBody(GpuContext context, RouterLossCall call, ArrayView<double> partial) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
            => context.LaunchThreads(
                new RouterLossWork<T> { Row = Row<T>(context, call.Logits, call.Probabilities, call.Balance, call.Z), Offsets = context.View<int>(call.Offsets), Partial = partial },
                call.Logits.Layout[0]);
    }

    private readonly struct BackwardBody(GpuContext context, RouterLossBackwardCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
            => context.LaunchThreads(
                new RouterLossBackwardWork<T>
                {
                    Row = Row<T>(context, call.Logits, call.Probabilities, call.Balance, call.Z), Load = context.View<float>(call.Load), DLoss = context.View<float>(call.DLoss),
                    DLogits = context.View<T>(call.DLogits), State = context.Slots(call.State), DLogitRow = call.DLogits.Layout.Stride(0), Accumulate = call.Accumulate ? 1 : 0,
                },
                call.Logits.Layout[0]);
    }
}
