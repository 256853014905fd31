using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Loss;

/// <summary>
/// Cross-entropy on a GPU. Targets and their count lie in the device's memory: a target that is no class, or losses while
/// <see cref="StepSlot.TargetCount"/> is below 1, make the loss not a number.
/// </summary>
internal sealed class GpuCrossEntropy(GpuContext context) : IKernel<CrossEntropyCall>, IKernel<CrossEntropyBackwardCall>
{
    public void Run(in CrossEntropyCall call)
    {
        call.Check();
        GpuChecks.NotDouble(CrossEntropyCall.Name, call.Logits);
        Losses(call.Logits, call.Targets, call.Losses, call.LogSumExp);
        AddLoss(call.Losses, call.Loss);
    }

    public void Run(in CrossEntropyBackwardCall call)
    {
        call.Check();
        GpuChecks.NotDouble(CrossEntropyBackwardCall.Name, call.Logits);
        Gradients(call.Logits, call.Targets, call.LogSumExp, call.DLoss, call.DLogits, call.Accumulate);
    }

    /// <summary>Losses and log-sum-exps of some rows.</summary>
    internal void Losses(in View logits, in View targets, in View losses, in View logSumExp)
    {
        switch (logits.Type)
        {
            case DType.BFloat16:
                Losses<BF16>(logits, targets, losses, logSumExp);
                break;
            case DType.Float16:
                Losses<F16>(logits, targets, losses, logSumExp);
                break;
            default:
                Losses<F32>(logits, targets, losses, logSumExp);
                break;
        }
    }

    /// <summary>loss = Σ losses / TargetCount, also added to the step's loss.</summary>
    internal void AddLoss(in View losses, in View loss) => context.Launch(
        new MeanLossWork
        {
            Losses = context.View<F32>(losses),
            Loss = context.View<float>(loss),
            State = context.StateView,
            Count = checked((int)losses.Count),
            Whole = (int)WholePiece.Elements(losses, losses.Count),
        },
        1, context.GroupSize);

    /// <summary>Gradients of some rows of logits.</summary>
    internal void Gradients(in View logits, in View targets, in View logSumExp, in View dLoss, in View dLogits, bool accumulate)
    {
        switch (logits.Type)
        {
            case DType.BFloat16:
                Gradients<BF16>(logits, targets, logSumExp, dLoss, dLogits, accumulate);
                break;
            case DType.Float16:
                Gradients<F16>(logits, targets, logSumExp, dLoss, dLogits, accumulate);
                break;
            default:
                Gradients<F32>(logits, targets, logSumExp, dLoss, dLogits, accumulate);
                break;
        }
    }

    private void Losses<T>(in View logits, in View targets, in View losses, in View logSumExp)
        where T : unmanaged, IElement<T>
        => context.Launch(
            new CrossEntropyForwardWork<T>
            {
                Logits = context.View<T>(logits),
                Targets = context.View<int>(targets),
                Losses = context.View<float>(losses),
                LogSumExp = context.View<float>(logSumExp),
                Stride = logits.Layout.Stride(0),
                Vocab = logits.Layout[1],
                Whole = (int)WholePiece.Elements(logits, logits.Layout[1]),
            },
            logits.Layout[0], context.GroupSize);

    private void Gradients<T>(in View logits, in View targets, in View logSumExp, in View dLoss, in View dLogits, bool accumulate)
        where T : unmanaged, IElement<T>
        => context.Launch(
            new CrossEntropyBackwardWork<T>
            {
                Logits = context.View<T>(logits),
                DLogits = context.View<T>(dLogits),
                Targets = context.View<int>(targets),
                LogSumExp = context.View<float>(logSumExp),
                DLoss = context.View<float>(dLoss),
                State = context.StateView,
                Stride = logits.Layout.Stride(0),
                DStride = dLogits.Layout.Stride(0),
                Vocab = logits.Layout[1],
                Accumulate = accumulate ? 1 : 0,
                Whole = WholePiece.IsAligned(dLogits) ? (int)WholePiece.Elements(logits, logits.Layout[1]) : 0,
            },
            logits.Layout[0], context.GroupSize);
}
