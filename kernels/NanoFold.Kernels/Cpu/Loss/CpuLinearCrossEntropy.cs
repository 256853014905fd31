using System.Runtime.InteropServices;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Cpu.MatMul;
using NanoFold.Kernels.Calls;

namespace NanoFold.Kernels.Cpu.Loss;

/// <summary>
/// Head and cross-entropy on the CPU. Rows with a target are taken a chunk at a time: their logits are a matrix product into scratch memory,
/// which the backward pass turns into dLogits where they lie. So no memory grows with rows × vocabulary.
/// </summary>
public sealed unsafe class CpuLinearCrossEntropy(CpuContext context) :
    IKernel<LinearCrossEntropyCall>, IKernel<LinearCrossEntropyBackwardCall>
{
    /// <summary>Logits that are kept at most: 16 MB in single precision.</summary>
    private const long MostKept = 1 << 22;

    private readonly CpuMatMul _matMul = new(context);

    /// <exception cref="ArgumentException">A shape does not fit, or a target is neither −1 nor in [0, V): the op and the row are named.</exception>
    /// <exception cref="InvalidOperationException">There are targets, and <see cref="StepSlot.TargetCount"/> is below 1.</exception>
    public void Run(in LinearCrossEntropyCall call)
    {
        call.Check();
        View x = call.X, weight = call.Weight, targets = call.Targets;
        View logits = Logits(LinearCrossEntropyCall.Name, x, weight, call.Scratch, call.Kept);
        RowCheck.Indices(LinearCrossEntropyCall.Name, "target", targets, weight.Layout[0], optional: true);
        Clear(call.Losses);
        Clear(call.LogSumExp);
        var chunk = new HeadChunk(x, weight, targets, call.Scratch, logits);
        while (chunk.Next(context))
        {
            View part = chunk.Logits;
            _matMul.MatMul(new MatMulArgs { A = chunk.X, B = weight, TransposeB = true, Y = part, Rounding = call.Rounding });
            var work = new CrossEntropyForward
            {
                Logits = new RowSpace(part),
                Targets = targets.Ints,
                Losses = call.Losses.Address,
                LogSumExp = call.LogSumExp.Address,
                Of = chunk.Rows,
                Rows = chunk.Count,
                Vocab = weight.Layout[0],
                RowsPerItem = CpuCrossEntropy.RowsPerItem(weight.Layout[0]),
            };
            context.Run(x.Type, RowBlocks.Items(work.Rows, work.RowsPerItem), ref work);
        }

        CpuCrossEntropy.AddLoss(LinearCrossEntropyCall.Name, call.State, targets, call.Losses, call.Loss);
    }

    public void Run(in LinearCrossEntropyBackwardCall call)
    {
        call.Check();
        View x = call.X, weight = call.Weight, targets = call.Targets, dX = call.DX, dWeight = call.DWeight;
        View logits = Logits(LinearCrossEntropyBackwardCall.Name, x, weight, call.Scratch, call.Kept);
        RowCheck.Indices(LinearCrossEntropyBackwardCall.Name, "target", targets, weight.Layout[0], optional: true);
        if (!dX.IsNone && !call.AccumulateX)
        {
            ClearRows(dX, targets);
        }

        if (!dWeight.IsNone && call.BeginsWeight)
        {
            ClearRows(dWeight, default);
        }

        double scale = CpuCrossEntropy.Scale(LinearCrossEntropyBackwardCall.Name, call.State, targets, call.DLoss);
        var chunk = new HeadChunk(x, weight, targets, call.Scratch, logits);
        while (chunk.Next(context))
        {
            View part = chunk.Logits;
            if (logits.IsNone)
            {
                _matMul.MatMul(new MatMulArgs { A = chunk.X, B = weight, TransposeB = true, Y = part, Rounding = call.Rounding });
            }

            var work = new CrossEntropyBackward
            {
                Logits = new RowSpace(part),
                DLogits = new RowSpace(part),
                Targets = targets.Ints,
                LogSumExp = call.LogSumExp.Address,
                Of = chunk.Rows,
                Rows = chunk.Count,
                Vocab = weight.Layout[0],
                RowsPerItem = CpuCrossEntropy.RowsPerItem(weight.Layout[0]),
                Scale = scale,
            };
            context.Run(x.Type, RowBlocks.Items(work.Rows, work.RowsPerItem), ref work);
            if (!dWeight.IsNone)
            {
                _matMul.MatMul(new MatMulArgs { A = part, TransposeA = true, B = chunk.X, Y = dWeight, Accumulate = true, Rounding = call.Rounding });
            }

            if (!dX.IsNone)
            {
                _matMul.MatMul(new MatMulArgs { A = part, B = weight, Y = chunk.DX, Rounding = call.Rounding });
                chunk.Scatter(context, dX, call.AccumulateX);
            }
        }
    }

    public long ScratchBytes(in LinearCrossEntropyCall shape) => ScratchBytes(shape.X, shape.Weight, shape.Kept);

    public long ScratchBytes(in LinearCrossEntropyBackwardCall shape) => ScratchBytes(shape.X, shape.Weight, shape.Kept);

    /// <summary>The logits of the rows with a target, one after the other, where there are few.</summary>
    public long KeptBytes(in LinearCrossEntropyCall shape)
    {
        long logits = (long)shape.X.Layout[0] * shape.Weight.Layout[0];
        return logits <= MostKept ? logits * shape.X.Type.Size() : 0;
    }

    private static long ScratchBytes(in View x, in View weight, in View kept)
        => HeadChunk.ScratchBytes(x.Layout[0], x.Layout[1], weight.Layout[0], !kept.IsNone);

    private static View Logits(string op, in View x, in View weight, in View scratch, in View kept)
    {
        RowCheck.Scratch(op, scratch, ScratchBytes(x, weight, kept));
        if (kept.IsNone)
        {
            return default;
        }

        Layout logits = Layout.Of(x.Layout[0], weight.Layout[0]);
        RowCheck.Room(op, "kept", kept, logits.Count * x.Type.Size());
        return kept.As(x.Type, logits);
    }

    private static void Clear(in View view) => NativeMemory.Clear(view.Address, (nuint)(view.Count * view.Type.Size()));

    // All rows, or with targets those that have none.
    private static void ClearRows(in View x, in View targets)
    {
        var rows = new RowSpace(x);
        int bytes = x.Layout[1] * x.Type.Size();
        for (long row = 0; row < x.Layout[0]; row++)
        {
            if (targets.IsNone || targets.Ints[row] < 0)
            {
                new Span<byte>(rows.Row(row), bytes).Clear();
            }
        }
    }
}
