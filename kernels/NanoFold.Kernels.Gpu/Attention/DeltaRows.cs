using ILGPU;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Attention;

/// <summary>The scratch of a backward pass, see <see cref="DeltaWork{T}"/>: two rows of floats for each head, padded to whole tiles.</summary>
internal static class DeltaRows
{
    private const int Unit = 128;

    public static int Length(int time) => (time + Unit - 1) / Unit * Unit;

    public static long Bytes(int batch, int time, int heads) => 2L * batch * heads * Length(time) * sizeof(float);

    public static long Bytes(in AttentionArgs args) => Bytes(args.Q.Layout[0], args.Q.Layout[1], args.Q.Layout[2]);

    /// <summary>Fills the scratch.</summary>
    /// <param name="context">Of the device.</param>
    /// <param name="op">For messages.</param>
    /// <param name="shape">Checked.</param>
    /// <param name="args">Of the call.</param>
    /// <param name="gradients">Of the call.</param>
    /// <param name="reach">Room for how far documents reach; none where nobody asks for it.</param>
    /// <exception cref="ArgumentException">The scratch is too small.</exception>
    public static ScoreGradient Prepare<T>(GpuContext context, string op, in AttentionShape shape, in AttentionArgs args, in AttentionGradients gradients, ArrayView<int> reach)
        where T : unmanaged, IElement<T>
    {
        View scratch = gradients.Scratch;
        long bytes = Bytes(shape.Batch, shape.Time, shape.Heads);
        RowCheck.Scratch(op, scratch, bytes);
        ArrayView<float> memory = context.View<float>(scratch);
        long half = bytes / (2 * sizeof(float));
        var work = new DeltaWork<T>
        {
            Y = HeadView<T>.Of(context, args.Y),
            DY = HeadView<T>.Of(context, gradients.DY),
            LogSumExp = context.View<float>(args.LogSumExp),
            Bits = memory.SubView(0, half),
            Delta = memory.SubView(half, half),
            Heads = shape.Heads,
            Time = shape.Time,
            RowLength = Length(shape.Time),
            Rows = checked((int)half),
        };
        int rows = context.GroupSize / DeltaWork<T>.Across;
        context.Launch(work, (half + rows - 1) / rows, context.GroupSize);
        return new ScoreGradient
        {
            Seen = VisibleView.Of(context, shape, args.Visible, reach),
            Bits = work.Bits,
            Delta = work.Delta,
            RowLength = work.RowLength,
            Scale = (float)args.Scale,
        };
    }
}
