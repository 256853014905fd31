using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Cpu.Loops;

namespace NanoFold.Kernels.Cpu.Loss;

/// <summary>Cross-entropy on the CPU. The losses of all rows are added in double, in their order.</summary>
public sealed unsafe class CpuCrossEntropy(CpuContext context) : IKernel<CrossEntropyCall>, IKernel<CrossEntropyBackwardCall>
{
    private const int ElementsPerItem = 65536;
    private const int MostRowsPerItem = 64;

    /// <exception cref="ArgumentException">A shape does not fit, or a target is neither −1 nor in [0, V): the op and the row are named.</exception>
    /// <exception cref="InvalidOperationException">There are targets, and <see cref="StepSlot.TargetCount"/> is below 1.</exception>
    public void Run(in CrossEntropyCall call)
    {
        call.Check();
        View logits = call.Logits, targets = call.Targets;
        RowCheck.Indices(CrossEntropyCall.Name, "target", targets, logits.Layout[1], optional: true);
        long rows = logits.Layout[0];
        var work = new CrossEntropyForward
        {
            Logits = new RowSpace(logits),
            Targets = targets.Ints,
            Losses = call.Losses.Address,
            LogSumExp = call.LogSumExp.Address,
            Rows = rows,
            Vocab = logits.Layout[1],
            RowsPerItem = RowsPerItem(logits.Layout[1]),
        };
        context.Run(logits.Type, RowBlocks.Items(rows, work.RowsPerItem), ref work);
        AddLoss(CrossEntropyCall.Name, call.State, targets, call.Losses, call.Loss);
    }

    public void Run(in CrossEntropyBackwardCall call)
    {
        call.Check();
        View logits = call.Logits, targets = call.Targets;
        RowCheck.Indices(CrossEntropyBackwardCall.Name, "target", targets, logits.Layout[1], optional: true);
        long rows = logits.Layout[0];
        var work = new CrossEntropyBackward
        {
            Logits = new RowSpace(logits),
            DLogits = new RowSpace(call.DLogits),
            Targets = targets.Ints,
            LogSumExp = call.LogSumExp.Address,
            Rows = rows,
            Vocab = logits.Layout[1],
            RowsPerItem = RowsPerItem(logits.Layout[1]),
            Scale = Scale(CrossEntropyBackwardCall.Name, call.State, targets, call.DLoss),
            Accumulate = call.Accumulate,
        };
        context.Run(logits.Type, RowBlocks.Items(rows, work.RowsPerItem), ref work);
    }

    internal static int RowsPerItem(int vocab) => Math.Clamp(ElementsPerItem / vocab, 1, MostRowsPerItem);

    /// <summary>loss = Σ losses / TargetCount, also added to the step's loss.</summary>
    internal static void AddLoss(string op, StepState state, in View targets, in View losses, in View loss)
    {
        double sum = 0;
        long rows = losses.Count;
        void* values = losses.Address;
        for (long i = 0; i < rows; i++)
        {
            sum += losses.Type == DType.Float64 ? ((double*)values)[i] : ((float*)values)[i];
        }

        double mean = sum * InverseTargetCount(op, state, targets);
        Element.Set(loss, mean);
        state.Increase(StepSlot.Loss, mean);
    }

    internal static double Scale(string op, StepState state, in View targets, in View dLoss)
        => Element.Get(dLoss) * state.GetDouble(StepSlot.LossScale) * InverseTargetCount(op, state, targets);

    private static double InverseTargetCount(string op, StepState state, in View targets)
    {
        long count = state.GetInteger(StepSlot.TargetCount);
        if (count > 0)
        {
            return 1.0 / count;
        }

        return new ReadOnlySpan<int>(targets.Ints, checked((int)targets.Count)).ContainsAnyExcept(-1)
            ? throw new InvalidOperationException($"{op}: {nameof(StepSlot.TargetCount)} is {count}; set it to the number of targets of the step")
            : 0;
    }
}
