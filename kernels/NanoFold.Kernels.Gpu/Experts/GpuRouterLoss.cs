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
        View logits = call.Logits, probabilities = call.Probabilities, offsets = call.Offsets;
        int groups = (logits.Layout[0] + context.GroupSize - 1) / context.GroupSize;
        ArrayView<double> partial = context.Scratch(groups * sizeof(double)).Cast<double>();
        switch (logits.Type)
        {
            case DType.BFloat16:
                Sum<BF16>(logits, probabilities, offsets, partial, call.Balance, call.Z);
                break;
            case DType.Float16:
                Sum<F16>(logits, probabilities, offsets, partial, call.Balance, call.Z);
                break;
            default:
                GpuChecks.NotDouble(RouterLossCall.Name, logits);
                Sum<F32>(logits, probabilities, offsets, partial, call.Balance, call.Z);
                break;
        }

        context.Launch(
            new RouterLoadWork
            {
                Offsets = context.View<int>(offsets), Partial = partial, Load = context.View<float>(call.Load), Loss = context.View<float>(call.Loss), State = context.StateView,
                Partials = groups, Rows = logits.Layout[0], Experts = logits.Layout[1],
            },
            1, context.GroupSize);
    }

    public void Run(in RouterLossBackwardCall call)
    {
        call.Check();
        switch (call.Logits.Type)
        {
            case DType.BFloat16:
                Backward<BF16>(call);
                break;
            case DType.Float16:
                Backward<F16>(call);
                break;
            default:
                GpuChecks.NotDouble(RouterLossBackwardCall.Name, call.Logits);
                Backward<F32>(call);
                break;
        }
    }

    private void Sum<T>(in View logits, in View probabilities, in View offsets, ArrayView<double> partial, double balance, double z)
        where T : unmanaged, IElement<T>
        => context.Launch(
            new RouterLossWork<T> { Row = Row<T>(logits, probabilities, balance, z), Offsets = context.View<int>(offsets), Partial = partial },
            (logits.Layout[0] + context.GroupSize - 1) / context.GroupSize, context.GroupSize);

    private void Backward<T>(in RouterLossBackwardCall call)
        where T : unmanaged, IElement<T>
        => context.Launch(
            new RouterLossBackwardWork<T>
            {
                Row = Row<T>(call.Logits, call.Probabilities, call.Balance, call.Z), Load = context.View<float>(call.Load), DLoss = context.View<float>(call.DLoss),
                DLogits = context.View<T>(call.DLogits), State = context.StateView, DLogitRow = call.DLogits.Layout.Stride(0), Accumulate = call.Accumulate ? 1 : 0,
            },
            (call.Logits.Layout[0] + context.GroupSize - 1) / context.GroupSize, context.GroupSize);

    private RouterRow<T> Row<T>(in View logits, in View probabilities, double balance, double z)
        where T : unmanaged, IElement<T>
        => new()
        {
            Logits = context.View<T>(logits), Probabilities = context.View<T>(probabilities), LogitRow = logits.Layout.Stride(0),
            ProbabilityRow = probabilities.Layout.Stride(0), Rows = logits.Layout[0], Experts = logits.Layout[1],
            Balance = (float)(balance * logits.Layout[1]), Z = (float)z,
        };
}
