using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Cpu.MatMul;
using NanoFold.Kernels.Fused;

namespace NanoFold.Kernels.Cpu.Loss;

/// <summary>
/// Head and cross-entropy on the CPU. Rows with a target are taken a chunk at a time: their logits are a matrix product into scratch memory,
/// which the backward pass turns into dLogits where they lie. So no memory grows with rows × vocabulary.
/// </summary>
public sealed unsafe class CpuLinearCrossEntropy(CpuContext context) : ILinearCrossEntropy
{
    /// <summary>Logits that are kept at most: 16 MB in single precision.</summary>
    private const long MostKept = 1 << 22;

    private readonly CpuMatMul _matMul = new(context);

    /// <exception cref="ArgumentException">A shape does not fit, or a target is neither −1 nor in [0, V): the op and the row are named.</exception>
    /// <exception cref="InvalidOperationException">There are targets, and <see cref="StepSlot.TargetCount"/> is below 1.</exception>
    public void Forward(in View x, in View weight, in View targets, in View losses, in View logSumExp, in View loss, in View scratch, in View logits = default)
    {
        const string Op = "linear cross-entropy";
        CrossEntropyChecks.LinearForward(Op, x, weight, targets, losses, logSumExp, loss, scratch, ScratchBytes(x, weight, logits), logits);
        RowCheck.Indices(Op, "target", targets, weight.Layout[0], optional: true);
        Clear(losses);
        Clear(logSumExp);
        var chunk = new HeadChunk(x, weight, targets, scratch, logits);
        while (chunk.Next(context))
        {
            View part = chunk.Logits;
            _matMul.MatMul(new MatMulArgs { A = chunk.X, B = weight, TransposeB = true, Y = part });
            var work = new CrossEntropyForward
            {
                Logits = new RowSpace(part),
                Targets = targets.Ints,
                Losses = losses.Address,
                LogSumExp = logSumExp.Address,
                Of = chunk.Rows,
                Rows = chunk.Count,
                Vocab = weight.Layout[0],
                RowsPerItem = CpuCrossEntropy.RowsPerItem(weight.Layout[0]),
            };
            context.Run(x.Type, RowBlocks.Items(work.Rows, work.RowsPerItem), ref work);
        }

        CpuCrossEntropy.AddLoss(Op, context, targets, losses, loss);
    }

    public void Backward(
        in View x, in View weight, in View targets, in View logSumExp, in View dLoss, in View dX, bool accumulateX, in View dWeight, in View scratch, in View logits = default)
    {
        const string Op = "linear cross-entropy backward";
        CrossEntropyChecks.LinearBackward(Op, x, weight, targets, logSumExp, dLoss, dX, dWeight, scratch, ScratchBytes(x, weight, logits), logits);
        RowCheck.Indices(Op, "target", targets, weight.Layout[0], optional: true);
        if (!dX.IsNone && !accumulateX)
        {
            ClearWithoutTarget(targets, dX);
        }

        double scale = CpuCrossEntropy.Scale(Op, context, targets, dLoss);
        var chunk = new HeadChunk(x, weight, targets, scratch, logits);
        while (chunk.Next(context))
        {
            View part = chunk.Logits;
            if (logits.IsNone)
            {
                _matMul.MatMul(new MatMulArgs { A = chunk.X, B = weight, TransposeB = true, Y = part });
            }

            var work = new CrossEntropyBackward
            {
                Logits = new RowSpace(part),
                DLogits = new RowSpace(part),
                Targets = targets.Ints,
                LogSumExp = logSumExp.Address,
                Of = chunk.Rows,
                Rows = chunk.Count,
                Vocab = weight.Layout[0],
                RowsPerItem = CpuCrossEntropy.RowsPerItem(weight.Layout[0]),
                Scale = scale,
            };
            context.Run(x.Type, RowBlocks.Items(work.Rows, work.RowsPerItem), ref work);
            if (!dWeight.IsNone)
            {
                _matMul.MatMul(new MatMulArgs { A = part, TransposeA = true, B = chunk.X, Y = dWeight, Accumulate = true });
            }

            if (!dX.IsNone)
            {
                _matMul.MatMul(new MatMulArgs { A = part, B = weight, Y = chunk.DX });
                chunk.Scatter(context, dX, accumulateX);
            }
        }
    }

    public bool KeepsLogits(long rows, int vocab, DType type) => rows * vocab <= MostKept;

    public int LogitsColumns(int vocab, DType type) => vocab;

    /// <remarks>For single precision; in double precision the chunks are shorter.</remarks>
    public long ScratchBytes(long rows, int width, int vocab, bool keepsLogits) => HeadChunk.ScratchBytes(rows, width, vocab, keepsLogits);

    private static long ScratchBytes(in View x, in View weight, in View logits)
    {
        RowCheck.Matrix("linear cross-entropy", "x", x);
        RowCheck.Matrix("linear cross-entropy", "weight", weight);
        return HeadChunk.ScratchBytes(x.Layout[0], x.Layout[1], weight.Layout[0], !logits.IsNone);
    }

    private static void Clear(in View view) => new Span<byte>(view.Address, checked((int)(view.Count * view.Type.Size()))).Clear();

    private static void ClearWithoutTarget(in View targets, in View dX)
    {
        var rows = new RowSpace(dX);
        int bytes = dX.Layout[1] * dX.Type.Size();
        for (long row = 0; row < targets.Count; row++)
        {
            if (targets.Ints[row] < 0)
            {
                new Span<byte>(rows.Row(row), bytes).Clear();
            }
        }
    }
}
