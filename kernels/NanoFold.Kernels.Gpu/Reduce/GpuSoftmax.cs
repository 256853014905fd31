using System.Numerics;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Reduce;

/// <summary>Softmax of rows, a group each.</summary>
internal sealed class GpuSoftmax(GpuContext context)
{
    public void Forward(in View x, in View y, double scale, in AttentionMask mask)
    {
        switch (x.Type)
        {
            case DType.BFloat16:
                Forward<BF16>(x, y, scale, mask);
                break;
            case DType.Float16:
                Forward<F16>(x, y, scale, mask);
                break;
            default:
                GpuChecks.NotDouble("softmax", x);
                Forward<F32>(x, y, scale, mask);
                break;
        }
    }

    public void Backward(in View y, in View dy, in View dx, double scale, bool accumulate)
    {
        switch (y.Type)
        {
            case DType.BFloat16:
                Backward<BF16>(y, dy, dx, scale, accumulate);
                break;
            case DType.Float16:
                Backward<F16>(y, dy, dx, scale, accumulate);
                break;
            default:
                GpuChecks.NotDouble("softmax backward", y);
                Backward<F32>(y, dy, dx, scale, accumulate);
                break;
        }
    }

    private void Forward<T>(in View x, in View y, double scale, in AttentionMask mask)
        where T : unmanaged, IElement<T>
    {
        Layout layout = x.Layout;
        long rows = layout.Rows;
        var work = new SoftmaxWork<T>
        {
            X = context.View<T>(x), Y = context.View<T>(y), Rows = RowShape.Of(y, x),
            XStep = layout.Stride(-1), YStep = y.Layout.Stride(-1), Length = layout[-1], Scale = scale == 0 ? 1 : (float)Math.Abs(scale), Sign = Math.Sign(scale),
            Mask = new MaskRule { Documents = context.View<int>(mask.Documents), Queries = 1, RowsPerBatch = 1 },
        };
        if (mask.Causal)
        {
            work.Mask.Causal = 1;
            work.Mask.Window = mask.Window;
            work.Mask.Sinks = mask.Sinks;
            work.Mask.HasDocuments = mask.Documents.IsNone ? 0 : 1;
            work.Mask.Queries = layout[-2];
            work.Mask.RowsPerBatch = checked((int)(layout.Rank > 2 ? rows / layout[0] : rows));
        }

        context.Launch(work, rows, Threads(work.Length));
    }

    private void Backward<T>(in View y, in View dy, in View dx, double scale, bool accumulate)
        where T : unmanaged, IElement<T>
        => context.Launch(
            new SoftmaxBackwardWork<T>
            {
                Y = context.View<T>(y), DY = context.View<T>(dy), DX = context.View<T>(dx),
                Rows = RowShape.Of(dx, y, dy),
                YStep = y.Layout.Stride(-1), DYStep = dy.Layout.Stride(-1), DXStep = dx.Layout.Stride(-1), Length = y.Layout[-1],
                Scale = (float)scale, Accumulate = accumulate ? 1 : 0,
            },
            y.Layout.Rows, Threads(y.Layout[-1]));

    /// <summary>Threads for rows of a length: about four elements each.</summary>
    private int Threads(int length) => Math.Min(context.GroupSize, Math.Max(32, (int)BitOperations.RoundUpToPowerOf2((uint)(length + 3) / 4)));
}
