using ILGPU;
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
internal sealed class GpuLinearCrossEntropy(GpuContext context, GpuMatMul matMul, int mostRows = 4096) :
    IKernel<LinearCrossEntropyCall>, IKernel<LinearCrossEntropyBackwardCall>, IDisposable
{
    /// <summary>Rows of logits are a multiple of these long, so that each begins at 16 bytes in any type.</summary>
    private const int ColumnMultiple = 8;

    private const int RowMultiple = 128;

    /// <summary>Bytes of a chunk's logits at most: the products are large enough by then.</summary>
    private const long MostChunkBytes = 1L << 29;

    /// <summary>The part of the device's memory that kept logits may take, and a chunk of them.</summary>
    private const int KeptShare = 8, ChunkShare = 16;

    private readonly GpuCrossEntropy _rows = new(context);

    public void Run(in LinearCrossEntropyCall call)
    {
        call.Check();
        View x = call.X, weight = call.Weight, scratch = call.Scratch;
        View logits = Kept(LinearCrossEntropyCall.Name, x, weight, scratch, call.Kept);
        int rows = x.Layout[0], chunk = ChunkRows(x, weight, logits);
        for (int start = 0; start < rows; start += chunk)
        {
            int count = Math.Min(chunk, rows - start);
            View part = Logits(weight, scratch, logits, start, count, x.Type);
            var product = new MatMulArgs { A = Rows(x, start, count), B = weight, TransposeB = true, Y = part, Rounding = call.Rounding };
            if (!matMul.TryRowSums(product, out ArrayView<float> parts))
            {
                matMul.MatMul(product);
            }

            _rows.Losses(part, Rows(call.Targets, start, count), Rows(call.Losses, start, count), Rows(call.LogSumExp, start, count), parts);
        }

        GpuCrossEntropy.AddLoss(context, call.State, call.Losses, call.Loss);
    }

    public void Run(in LinearCrossEntropyBackwardCall call)
    {
        call.Check();
        View x = call.X, weight = call.Weight, scratch = call.Scratch;
        View logits = Kept(LinearCrossEntropyBackwardCall.Name, x, weight, scratch, call.Kept);
        int rows = x.Layout[0], chunk = ChunkRows(x, weight, logits);
        for (int start = 0; start < rows; start += chunk)
        {
            int count = Math.Min(chunk, rows - start);
            View part = Logits(weight, scratch, logits, start, count, x.Type), xPart = Rows(x, start, count);
            if (logits.IsNone)
            {
                matMul.MatMul(new MatMulArgs { A = xPart, B = weight, TransposeB = true, Y = part, Rounding = call.Rounding });
            }

            _rows.Gradients(call.State, part, Rows(call.Targets, start, count), Rows(call.LogSumExp, start, count), call.DLoss, part, accumulate: false);
            if (!call.DWeight.IsNone)
            {
                matMul.MatMul(new MatMulArgs { A = part, TransposeA = true, B = xPart, Y = call.DWeight, Accumulate = start > 0 || !call.BeginsWeight, Rounding = call.Rounding });
            }

            if (!call.DX.IsNone)
            {
                matMul.MatMul(new MatMulArgs { A = part, B = weight, Y = Rows(call.DX, start, count), Accumulate = call.AccumulateX, Rounding = call.Rounding });
            }
        }
    }

    public long ScratchBytes(in LinearCrossEntropyCall shape) => ScratchBytes(shape.X, shape.Weight, shape.Kept);

    public long ScratchBytes(in LinearCrossEntropyBackwardCall shape) => ScratchBytes(shape.X, shape.Weight, shape.Kept);

    /// <summary>All logits, where they are a small part of the device's memory.</summary>
    public long KeptBytes(in LinearCrossEntropyCall shape)
    {
        long bytes = (long)shape.X.Layout[0] * Columns(shape.Weight.Layout[0]) * shape.X.Type.Size();
        return bytes <= context.Accelerator.MemorySize / KeptShare ? bytes : 0;
    }

    public void Dispose() => _rows.Dispose();

    private static int Columns(int vocab) => (vocab + ColumnMultiple - 1) / ColumnMultiple * ColumnMultiple;

    private long ScratchBytes(in View x, in View weight, in View kept) => kept.IsNone ? ChunkBytes(x.Layout[0], weight.Layout[0]) : 0;

    /// <remarks>For single precision; with 16 bits the chunks have more rows.</remarks>
    private long ChunkBytes(int rows, int vocab)
    {
        long rowBytes = (long)Columns(vocab) * sizeof(float);
        long fit = Math.Min(MostChunkBytes, context.Accelerator.MemorySize / ChunkShare) / rowBytes / RowMultiple * RowMultiple;
        return Math.Min(Math.Min(Math.Max(fit, RowMultiple), mostRows), rows) * rowBytes;
    }

    private View Kept(string op, in View x, in View weight, in View scratch, in View kept)
    {
        if (kept.IsNone)
        {
            RowCheck.Scratch(op, scratch, ChunkBytes(x.Layout[0], weight.Layout[0]));
            return default;
        }

        int vocab = weight.Layout[0];
        Layout rows = Layout.Of(x.Layout[0], Columns(vocab));
        RowCheck.Room(op, "kept", kept, rows.Count * x.Type.Size());
        return kept.As(x.Type, rows.Slice(1, 0, vocab, out _));
    }

    private int ChunkRows(in View x, in View weight, in View logits)
    {
        int rows = x.Layout[0], vocab = weight.Layout[0];
        long fit = ChunkBytes(rows, vocab) / ((long)Columns(vocab) * x.Type.Size());
        return logits.IsNone ? (int)Math.Min(rows, fit) : rows;
    }

    private View Logits(in View weight, in View scratch, in View kept, int start, int count, DType type)
    {
        if (!kept.IsNone)
        {
            return Rows(kept, start, count);
        }

        int vocab = weight.Layout[0];
        return scratch.As(type, Layout.Of(count, Columns(vocab)).Slice(1, 0, vocab, out _));
    }

    private static View Rows(in View x, int start, int count)
    {
        Layout layout = x.Layout.Slice(0, start, count, out long offset);
        return x.With(layout, offset);
    }
}
