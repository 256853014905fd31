using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Gpu.MatMul;

namespace NanoFold.Kernels.Gpu.Loss;

/// <summary>
/// Head and cross-entropy on a GPU: the logits of a chunk of rows are a matrix product, which the backward pass turns into dLogits where they lie.
/// Rows without a target are computed with the others and count nothing: which ones they are is data on the device. Row i of kept logits is that of row i of x.
/// </summary>
/// <param name="context">What kernels share.</param>
/// <param name="matMul">Products.</param>
/// <param name="mostRows">Rows of a chunk at most.</param>
internal sealed class GpuLinearCrossEntropy(GpuContext context, GpuMatMul matMul, int mostRows = 4096) : ILinearCrossEntropy
{
    /// <summary>Rows of logits are a multiple of these long, so that each begins at 16 bytes in any type.</summary>
    private const int ColumnMultiple = 8;

    private const int RowMultiple = 128;

    /// <summary>Bytes of a chunk's logits at most: the products are large enough by then.</summary>
    private const long MostChunkBytes = 1L << 29;

    /// <summary>The part of the device's memory that kept logits may take, and a chunk of them.</summary>
    private const int KeptShare = 8, ChunkShare = 16;

    private readonly GpuCrossEntropy _rows = new(context);

    public void Forward(in View x, in View weight, in View targets, in View losses, in View logSumExp, in View loss, in View scratch, in View logits = default)
    {
        const string Op = "linear cross-entropy";
        GpuChecks.NotDouble(Op, x);
        CrossEntropyChecks.LinearForward(Op, x, weight, targets, losses, logSumExp, loss, scratch, ScratchBytes(Op, x, weight, logits), logits);
        int rows = x.Layout[0], chunk = ChunkRows(x, weight, logits);
        for (int start = 0; start < rows; start += chunk)
        {
            int count = Math.Min(chunk, rows - start);
            View part = Logits(weight, scratch, logits, start, count, x.Type);
            Multiply(new MatMulArgs { A = Rows(x, start, count), B = weight, TransposeB = true, Y = part });
            _rows.Losses(part, Rows(targets, start, count), Rows(losses, start, count), Rows(logSumExp, start, count));
        }

        _rows.AddLoss(losses, loss);
    }

    public void Backward(
        in View x, in View weight, in View targets, in View logSumExp, in View dLoss, in View dX, bool accumulateX, in View dWeight, in View scratch, in View logits = default)
    {
        const string Op = "linear cross-entropy backward";
        GpuChecks.NotDouble(Op, x);
        CrossEntropyChecks.LinearBackward(Op, x, weight, targets, logSumExp, dLoss, dX, dWeight, scratch, ScratchBytes(Op, x, weight, logits), logits);
        int rows = x.Layout[0], chunk = ChunkRows(x, weight, logits);
        for (int start = 0; start < rows; start += chunk)
        {
            int count = Math.Min(chunk, rows - start);
            View part = Logits(weight, scratch, logits, start, count, x.Type), xPart = Rows(x, start, count);
            if (logits.IsNone)
            {
                Multiply(new MatMulArgs { A = xPart, B = weight, TransposeB = true, Y = part });
            }

            _rows.Gradients(part, Rows(targets, start, count), Rows(logSumExp, start, count), dLoss, part, accumulate: false);
            if (!dWeight.IsNone)
            {
                Multiply(new MatMulArgs { A = part, TransposeA = true, B = xPart, Y = dWeight, Accumulate = true });
            }

            if (!dX.IsNone)
            {
                Multiply(new MatMulArgs { A = part, B = weight, Y = Rows(dX, start, count), Accumulate = accumulateX });
            }
        }
    }

    public bool KeepsLogits(long rows, int vocab, DType type) => rows * LogitsColumns(vocab, type) * type.Size() <= context.Accelerator.MemorySize / KeptShare;

    public int LogitsColumns(int vocab, DType type) => (vocab + ColumnMultiple - 1) / ColumnMultiple * ColumnMultiple;

    /// <remarks>For single precision; with 16 bits the chunks have more rows.</remarks>
    public long ScratchBytes(long rows, int width, int vocab, bool keepsLogits)
    {
        if (keepsLogits)
        {
            return 0;
        }

        long rowBytes = (long)LogitsColumns(vocab, DType.Float32) * sizeof(float);
        long fit = Math.Min(MostChunkBytes, context.Accelerator.MemorySize / ChunkShare) / rowBytes / RowMultiple * RowMultiple;
        return Math.Min(Math.Min(Math.Max(fit, RowMultiple), mostRows), rows) * rowBytes;
    }

    private long ScratchBytes(string op, in View x, in View weight, in View logits)
    {
        RowCheck.Matrix(op, "x", x);
        RowCheck.Matrix(op, "weight", weight);
        return ScratchBytes(x.Layout[0], x.Layout[1], weight.Layout[0], !logits.IsNone);
    }

    private int ChunkRows(in View x, in View weight, in View logits)
    {
        int rows = x.Layout[0], vocab = weight.Layout[0];
        long fit = ScratchBytes(rows, x.Layout[1], vocab, keepsLogits: false) / ((long)LogitsColumns(vocab, x.Type) * x.Type.Size());
        return logits.IsNone ? (int)Math.Min(rows, fit) : rows;
    }

    private View Logits(in View weight, in View scratch, in View kept, int start, int count, DType type)
    {
        if (!kept.IsNone)
        {
            return Rows(kept, start, count);
        }

        int vocab = weight.Layout[0];
        return scratch.As(type, Layout.Of(count, LogitsColumns(vocab, type)).Slice(1, 0, vocab, out _));
    }

    private void Multiply(in MatMulArgs args) => matMul.MatMul(args, context.AllowsTensorFloat32);

    private static View Rows(in View x, int start, int count)
    {
        Layout layout = x.Layout.Slice(0, start, count, out long offset);
        return x.With(layout, offset);
    }
}
