using System.Runtime.InteropServices;
using ILGPU;
using NanoFold.Kernels.Gpu.Loss;

namespace NanoFold.Kernels.Gpu.OpenCl.Processor;

/// <summary>Cross-entropy of logits in single precision on an OpenCL device that is a processor.</summary>
internal sealed class VectorLoss(GpuContext context) : IDisposable
{
    // Elements of a group: enough to be worth its start.
    private const int Piece = 8192;

    private OpenClProgram? _forward, _backward;

    /// <summary>Whether it computes on these.</summary>
    public static bool Takes(in View logits) => logits.Type == DType.Float32;

    public void Forward(in View logits, in View targets, in View losses, in View logSumExp)
    {
        Operands operands = Of(logits, targets, logSumExp);
        operands.Losses = losses.Offset;
        _forward ??= new OpenClProgram(context, "cross_entropy", VectorLossSource.Text);
        _forward.Launch(operands, Groups(operands), 1, 1, context.Handle(logits), context.Handle(targets), context.Handle(losses), context.Handle(logSumExp));
    }

    public void Backward(StepState state, in View logits, in View targets, in View logSumExp, in View dLoss, in View dLogits, bool accumulate)
    {
        ArrayView<float> scale = context.Scratch(sizeof(float)).Cast<float>();
        context.Launch(new GradientScaleWork { State = context.Slots(state), DLoss = context.View<float>(dLoss), Into = scale }, 1, 1);
        Operands operands = Of(logits, targets, logSumExp);
        operands.D = dLogits.Offset;
        operands.DRow = dLogits.Layout.Stride(0);
        operands.Accumulate = accumulate ? 1 : 0;
        _backward ??= new OpenClProgram(context, "cross_entropy_backward", VectorLossSource.Text);
        _backward.Launch(
            operands, Groups(operands), 1, 1,
            context.Handle(logits), context.Handle(targets), context.Handle(logSumExp), context.ScratchHandle(sizeof(float)), context.Handle(dLogits));
    }

    public void Dispose()
    {
        _forward?.Dispose();
        _backward?.Dispose();
    }

    private static int Groups(in Operands operands) => (operands.Count + operands.Rows - 1) / operands.Rows;

    private static Operands Of(in View logits, in View targets, in View logSumExp) => new()
    {
        X = logits.Offset, Targets = targets.Offset, Sums = logSumExp.Offset, Row = logits.Layout.Stride(0),
        Count = logits.Layout[0], Length = logits.Layout[1], Rows = Math.Max(1, Piece / Math.Max(1, logits.Layout[1])),
    };

    /// <summary>As the kernels' struct.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Operands
    {
        public long X, D, Targets, Losses, Sums, Row, DRow;
        public int Count, Rows, Length, Accumulate;
    }
}
