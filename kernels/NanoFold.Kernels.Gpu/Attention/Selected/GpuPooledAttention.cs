using ILGPU;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Attention.Selected;

/// <summary>
/// Attention over means on a GPU, in the kernels of attention over lists: forward and dq a group a query, dk and dv a group a key, which looks for the queries
/// that see it. No sums across groups, the same bits each time.
/// </summary>
internal sealed class GpuPooledAttention(GpuContext context) : IKernel<PooledAttentionCall>, IKernel<PooledAttentionBackwardCall>
{
    public void Run(in PooledAttentionCall call)
    {
        call.Check();
        AttentionArgs args = call.Args;
        var seen = SelectedView.Of(context, new AttentionShape(PooledAttentionCall.Name, args), call.Blocks);
        ByElement.Run(PooledAttentionCall.Name, args.Q, new SelectedForwardBody(context, args, seen));
    }

    public void Run(in PooledAttentionBackwardCall call)
    {
        call.Check();
        AttentionArgs args = call.Args;
        var shape = new AttentionShape(PooledAttentionBackwardCall.Name, args);
        var seen = SelectedView.Of(context, shape, call.Blocks);
        ByElement.Run(PooledAttentionBackwardCall.Name, args.Q, new SelectedBackwardBody(context, PooledAttentionBackwardCall.Name, shape, args, call.Gradients, seen));
    }

    public long ScratchBytes(in PooledAttentionBackwardCall shape) => DeltaRows.Bytes(shape.Args);
}

/// <summary>The forward pass.</summary>
internal readonly struct SelectedForwardBody(GpuContext context, AttentionArgs args, SelectedView seen) : IElementBody
{
    /// <summary>Groups at most: each has a row of scores in memory.</summary>
    public const int MostGroups = 2048;

    public void Run<T>()
        where T : unmanaged, IElement<T>
    {
        int rows = checked(args.Q.Layout[0] * seen.Heads * seen.Time), groups = Math.Min(rows, context.IsSimulator ? 1 : MostGroups);
        var work = new SelectedForwardWork<T>
        {
            Q = HeadView<T>.Of(context, args.Q),
            K = HeadView<T>.Of(context, args.K),
            V = HeadView<T>.Of(context, args.V),
            Y = HeadView<T>.Of(context, args.Y),
            LogSumExp = context.View<float>(args.LogSumExp),
            HasLogSumExp = args.LogSumExp.IsNone ? 0 : 1,
            Seen = seen,
            Scratch = context.Scratch((long)groups * seen.Most * sizeof(float)).Cast<float>(),
            Scale = (float)args.Scale,
            Rows = rows,
        };
        context.Launch(work, groups, context.GroupSize);
    }
}

/// <summary>The backward pass.</summary>
internal readonly struct SelectedBackwardBody(GpuContext context, string op, AttentionShape shape, AttentionArgs args, AttentionGradients gradients, SelectedView seen) : IElementBody
{
    public void Run<T>()
        where T : unmanaged, IElement<T>
    {
        ScoreGradient prepared = DeltaRows.Prepare<T>(context, op, shape, args, gradients, default);
        var gradient = new SelectedGradient { Seen = seen, LogSumExpBits = prepared.Bits, Delta = prepared.Delta, RowLength = prepared.RowLength, Scale = prepared.Scale };
        var q = HeadView<T>.Of(context, args.Q);
        var k = HeadView<T>.Of(context, args.K);
        var v = HeadView<T>.Of(context, args.V);
        var dy = HeadView<T>.Of(context, gradients.DY);
        if (!gradients.DQ.IsNone)
        {
            int rows = checked(shape.Batch * shape.Heads * shape.Time), groups = Math.Min(rows, context.IsSimulator ? 1 : SelectedForwardBody.MostGroups);
            var queries = new SelectedQueryWork<T>
            {
                Q = q,
                K = k,
                V = v,
                DY = dy,
                DQ = HeadView<T>.Of(context, gradients.DQ),
                Gradient = gradient,
                Scratch = context.Scratch((long)groups * seen.Most * sizeof(float)).Cast<float>(),
                Rows = rows,
                Accumulate = gradients.AccumulateQ ? 1 : 0,
            };
            context.Launch(queries, groups, context.GroupSize);
        }

        if (!gradients.DK.IsNone || !gradients.DV.IsNone)
        {
            var keys = new SelectedKeyWork<T>
            {
                Q = q,
                K = k,
                V = v,
                DY = dy,
                DK = HeadView<T>.Of(context, gradients.DK),
                DV = HeadView<T>.Of(context, gradients.DV),
                Gradient = gradient,
                KeyHeads = shape.KeyHeads,
                AccumulateK = gradients.AccumulateK ? 1 : 0,
                AccumulateV = gradients.AccumulateV ? 1 : 0,
            };
            int width = Math.Max(shape.Depth, shape.ValueDepth);
            context.Launch(keys, shape.Keys, shape.Batch * shape.KeyHeads, (width + context.GroupSize - 1) / context.GroupSize, context.GroupSize);
        }
    }
}
