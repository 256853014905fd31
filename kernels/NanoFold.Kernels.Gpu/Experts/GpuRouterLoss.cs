using ILGPU;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Experts;

/// <summary>
/// The balance and z-loss of a router, as on the CPU. The number of micro-batches is read on the device; where it was not set, the loss is not finite.
/// </summary>
internal sealed class GpuRouterLoss(GpuContext context)
{
    public void Forward(in View logits, in View probabilities, in View offsets, in View load, in View loss, double balance, double z)
    {
        const string Op = "router loss";
        ExpertChecks.RouterLoss(Op, logits, probabilities, offsets, load, loss);
        int groups = (logits.Layout[0] + context.GroupSize - 1) / context.GroupSize;
        ArrayView<double> partial = context.Scratch(groups * sizeof(double)).Cast<double>();
        switch (logits.Type)
        {
            case DType.BFloat16:
                Sum<BF16>(logits, probabilities, offsets, partial, balance, z);
                break;
            case DType.Float16:
                Sum<F16>(logits, probabilities, offsets, partial, balance, z);
                break;
            default:
                GpuChecks.NotDouble(Op, logits);
                Sum<F32>(logits, probabilities, offsets, partial, balance, z);
                break;
        }

        context.Launch(
            new RouterLoadWork
            {
                Offsets = context.View<int>(offsets), Partial = partial, Load = context.View<float>(load), Loss = context.View<float>(loss), State = context.StateView,
                Partials = groups, Rows = logits.Layout[0], Experts = logits.Layout[1],
            },
            1, context.GroupSize);
    }

    public void Backward(
        in View logits, in View probabilities, in View load, in View dLoss, in View dLogits, double balance, double z, bool accumulate)
    {
        const string Op = "router loss backward";
        ExpertChecks.RouterLossBackward(Op, logits, probabilities, load, dLoss, dLogits);
        switch (logits.Type)
        {
            case DType.BFloat16:
                Backward<BF16>(logits, probabilities, load, dLoss, dLogits, balance, z, accumulate);
                break;
            case DType.Float16:
                Backward<F16>(logits, probabilities, load, dLoss, dLogits, balance, z, accumulate);
                break;
            default:
                GpuChecks.NotDouble(Op, logits);
                Backward<F32>(logits, probabilities, load, dLoss, dLogits, balance, z, accumulate);
                break;
        }
    }

    private void Sum<T>(in View logits, in View probabilities, in View offsets, ArrayView<double> partial, double balance, double z)
        where T : unmanaged, IElement<T>
        => context.Launch(
            new RouterLossWork<T> { Row = Row<T>(logits, probabilities, balance, z), Offsets = context.View<int>(offsets), Partial = partial },
            (logits.Layout[0] + context.GroupSize - 1) / context.GroupSize, context.GroupSize);

    private void Backward<T>(
        in View logits, in View probabilities, in View load, in View dLoss, in View dLogits, double balance, double z, bool accumulate)
        where T : unmanaged, IElement<T>
        => context.Launch(
            new RouterLossBackwardWork<T>
            {
                Row = Row<T>(logits, probabilities, balance, z), Load = context.View<float>(load), DLoss = context.View<float>(dLoss), DLogits = context.View<T>(dLogits),
                State = context.StateView, DLogitRow = dLogits.Layout.Stride(0), Accumulate = accumulate ? 1 : 0,
            },
            (logits.Layout[0] + context.GroupSize - 1) / context.GroupSize, context.GroupSize);

    private RouterRow<T> Row<T>(in View logits, in View probabilities, double balance, double z)
        where T : unmanaged, IElement<T>
        => new()
        {
            Logits = context.View<T>(logits), Probabilities = context.View<T>(probabilities), LogitRow = logits.Layout.Stride(0),
            ProbabilityRow = probabilities.Layout.Stride(0), Rows = logits.Layout[0], Experts = logits.Layout[1],
            Balance = (float)(balance * logits.Layout[1]), Z = (float)z,
        };
}
