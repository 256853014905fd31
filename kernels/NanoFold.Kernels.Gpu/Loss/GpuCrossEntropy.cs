using ILGPU;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;
using NanoFold.Kernels.Gpu.OpenCl.Processor;

namespace NanoFold.Kernels.Gpu.Loss;

/// <summary>
/// Cross-entropy on a GPU. Targets and their count lie in the device's memory: a target that is no class, or losses while
/// <see cref="StepSlot.TargetCount"/> is below 1, make the loss not a number.
/// </summary>
internal sealed class GpuCrossEntropy(GpuContext context) : IKernel<CrossEntropyCall>, IKernel<CrossEntropyBackwardCall>, IDisposable
{
    private readonly VectorLoss? _vectors = context.IsProcessor ? new VectorLoss(context) : null;

    public void Run(in CrossEntropyCall call)
    {
        call.Check();
        Losses(call.Logits, call.Targets, call.Losses, call.LogSumExp);
        AddLoss(context, call.State, call.Losses, call.Loss);
    }

    public void Run(in CrossEntropyBackwardCall call)
    {
        call.Check();
        Gradients(call.State, call.Logits, call.Targets, call.LogSumExp, call.DLoss, call.DLogits, call.Accumulate);
    }

    /// <summary>Losses and log-sum-exps of some rows.</summary>
    /// <param name="logits">[rows, V].</param>
    /// <param name="targets">[rows].</param>
    /// <param name="losses">[rows].</param>
    /// <param name="logSumExp">[rows].</param>
    /// <param name="parts">What a product left of the rows, as many pairs of each: the largest logit of a part, and the sum of exponentials beside it. None: the logits are read.</param>
    internal void Losses(in View logits, in View targets, in View losses, in View logSumExp, ArrayView<float> parts = default)
    {
        if (_vectors is not null && VectorLoss.Takes(logits))
        {
            _vectors.Forward(logits, targets, losses, logSumExp);
            return;
        }

        ByElement.Run(CrossEntropyCall.Name, logits, new ForwardBody(context, logits, targets, losses, logSumExp, parts));
    }

    /// <summary>loss = Σ losses / TargetCount, also added to the step's loss.</summary>
    internal static void AddLoss(GpuContext context, StepState state, in View losses, in View loss) => context.Launch(
        new MeanLossWork
        {
            Losses = context.View<F32>(losses),
            Loss = context.View<float>(loss),
            State = context.Slots(state),
            Count = checked((int)losses.Count),
            Whole = (int)AlignedPiece.Elements(losses, losses.Count),
        },
        1, context.GroupSize);

    /// <summary>Gradients of some rows of logits.</summary>
    internal void Gradients(StepState state, in View logits, in View targets, in View logSumExp, in View dLoss, in View dLogits, bool accumulate)
    {
        if (_vectors is not null && VectorLoss.Takes(logits))
        {
            _vectors.Backward(state, logits, targets, logSumExp, dLoss, dLogits, accumulate);
            return;
        }

        ByElement.Run(CrossEntropyBackwardCall.Name, logits, new BackwardBody(context, state, logits, targets, logSumExp, dLoss, dLogits, accumulate));
    }

    public void Dispose() => _vectors?.Dispose();

    private readonly struct ForwardBody(GpuContext context, View logits, View targets, View losses, View logSumExp, ArrayView<float> parts) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
            => context.Launch(
                new CrossEntropyForwardWork<T>
                {
                    Logits = context.View<T>(logits),
                    Targets = context.View<int>(targets),
                    Losses = context.View<float>(losses),
                    LogSumExp = context.View<float>(logSumExp),
                    Parts = parts.IsValid ? parts : context.View<float>(default),
                    PartCount = parts.IsValid ? checked((int)(parts.Length / (2L * logits.Layout[0]))) : 0,
                    Stride = logits.Layout.Stride(0),
                    Vocab = logits.Layout[1],
                    Whole = (int)AlignedPiece.Elements(logits, logits.Layout[1]),
                },
                logits.Layout[0], context.GroupSize);
    }

    private readonly struct BackwardBody(GpuContext context, StepState state, View logits, View targets, View logSumExp, View dLoss, View dLogits, bool accumulate) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
            => context.Launch(
                new CrossEntropyBackwardWork<T>
                {
                    Logits = context.View<T>(logits),
                    DLogits = context.View<T>(dLogits),
                    Targets = context.View<int>(targets),
                    LogSumExp = context.View<float>(logSumExp),
                    DLoss = context.View<float>(dLoss),
                    State = context.Slots(state),
                    Stride = logits.Layout.Stride(0),
                    DStride = dLogits.Layout.Stride(0),
                    Vocab = logits.Layout[1],
                    Accumulate = accumulate ? 1 : 0,
                    Whole = AlignedPiece.IsAligned(dLogits) ? (int)AlignedPiece.Elements(logits, logits.Layout[1]) : 0,
                },
                logits.Layout[0], context.GroupSize);
    }
}
