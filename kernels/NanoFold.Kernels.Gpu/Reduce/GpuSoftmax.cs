using System.Numerics;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Gpu.Attention;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;
using NanoFold.Kernels.Gpu.OpenCl.Processor;

namespace NanoFold.Kernels.Gpu.Reduce;

/// <summary>Softmax of rows, a group each.</summary>
internal sealed class GpuSoftmax(GpuContext context) : IDisposable
{
    private readonly VectorSoftmax? _vectors = context.IsProcessor ? new VectorSoftmax(context) : null;

    public void Forward(in View x, in View y, double scale, in Visible visible)
    {
        if (_vectors?.TryForward(x, y, scale, visible) != true)
        {
            ByElement.Run("softmax", x, new ForwardBody(context, x, y, scale, visible));
        }
    }

    public void Backward(in View y, in View dy, in View dx, double scale, bool accumulate)
    {
        if (_vectors?.TryBackward(y, dy, dx, scale, accumulate) != true)
        {
            ByElement.Run("softmax backward", y, new BackwardBody(context, y, dy, dx, scale, accumulate));
        }
    }

    public void Dispose() => _vectors?.Dispose();

    /// <summary>Threads for rows of a length: about four elements each.</summary>
    private static int Threads(GpuContext context, int length)
        => Math.Min(context.GroupSize, Math.Max(32, (int)BitOperations.RoundUpToPowerOf2((uint)(length + 3) / 4)));

    private readonly struct ForwardBody(GpuContext context, View x, View y, double scale, Visible visible) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
        {
            Layout layout = x.Layout;
            long rows = layout.Rows;
            int queries = layout.Rank > 1 ? layout[-2] : 1, batch = layout.Rank > 2 ? layout[0] : 1;
            var work = new SoftmaxWork<T>
            {
                X = context.View<T>(x), Y = context.View<T>(y), Rows = RowNest.Of(y, x),
                XStep = layout.Stride(-1), YStep = y.Layout.Stride(-1), Length = layout[-1], Scale = scale == 0 ? 1 : (float)Math.Abs(scale), Sign = Math.Sign(scale),
                Seen = VisibleView.Of(context, visible, batch, checked((int)(rows / batch / queries)), queries, layout[-1]),
            };
            context.Launch(work, rows, Threads(context, work.Length));
        }
    }

    private readonly struct BackwardBody(GpuContext context, View y, View dy, View dx, double scale, bool accumulate) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
            => context.Launch(
                new SoftmaxBackwardWork<T>
                {
                    Y = context.View<T>(y), DY = context.View<T>(dy), DX = context.View<T>(dx),
                    Rows = RowNest.Of(dx, y, dy),
                    YStep = y.Layout.Stride(-1), DYStep = dy.Layout.Stride(-1), DXStep = dx.Layout.Stride(-1), Length = y.Layout[-1],
                    Scale = (float)scale, Accumulate = accumulate ? 1 : 0,
                },
                y.Layout.Rows, Threads(context, y.Layout[-1]));
    }
}
