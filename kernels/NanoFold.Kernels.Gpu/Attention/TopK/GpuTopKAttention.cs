using ILGPU;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Attention.TopK;

/// <summary>Top-k attention: forward a group for each query, backward a group for each query, then one for each block of keys. The same bits each time.</summary>
internal sealed class GpuTopKAttention(GpuContext context) : IKernel<TopKAttentionCall>, IKernel<TopKAttentionBackwardCall>
{
    /// <summary>Groups of the forward pass at most: each has a row of scores in memory.</summary>
    private const int MostGroups = 2048;

    /// <exception cref="ArgumentException">A shape, stride, type or visibility does not fit.</exception>
    public void Run(in TopKAttentionCall call)
    {
        AttentionArgs args = call.Args;
        View kept = call.Kept;
        AttentionShape shape = TopKChecks.Shape(TopKAttentionCall.Name, args, kept);
        ByElement.Run(TopKAttentionCall.Name, args.Q, new ForwardBody(context, shape, args, kept));
    }

    /// <exception cref="ArgumentException">A shape, stride, type or visibility does not fit, or the scratch is too small.</exception>
    public void Run(in TopKAttentionBackwardCall call)
    {
        AttentionArgs args = call.Args;
        AttentionGradients gradients = call.Gradients;
        View kept = call.Kept;
        AttentionShape shape = TopKChecks.Shape(TopKAttentionBackwardCall.Name, args, kept);
        shape.Check(TopKAttentionBackwardCall.Name, gradients);
        ByElement.Run(TopKAttentionBackwardCall.Name, args.Q, new BackwardBody(context, shape, args, kept, gradients));
    }

    public long ScratchBytes(in TopKAttentionBackwardCall shape) => DeltaRows.Bytes(shape.Args);

    private readonly struct ForwardBody(GpuContext context, AttentionShape shape, AttentionArgs args, View kept) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
        {
            int rows = checked(shape.Batch * shape.Heads * shape.Time), keep = kept.Layout[3];
            int groups = Math.Min(rows, context.IsSimulator ? 1 : MostGroups);
            long reach = DocumentReach.Length(shape), floats = (long)groups * (shape.Keys + keep);
            ArrayView<int> memory = context.Scratch((reach + floats) * sizeof(int)).Cast<int>();
            var work = new TopKForwardWork<T>
            {
                Q = HeadView<T>.Of(context, args.Q),
                K = HeadView<T>.Of(context, args.K),
                V = HeadView<T>.Of(context, args.V),
                Y = HeadView<T>.Of(context, args.Y),
                LogSumExp = context.View<float>(args.LogSumExp),
                Kept = context.View<int>(kept),
                Seen = VisibleView.Of(context, shape, args.Visible, memory.SubView(0, reach)),
                Scratch = memory.SubView(reach, floats).Cast<float>(),
                Scale = (float)args.Scale,
                Heads = shape.Heads,
                GroupHeads = shape.Group,
                Keep = keep,
                Rows = rows,
            };
            context.Launch(work, groups, context.GroupSize);
        }
    }

    private readonly struct BackwardBody(GpuContext context, AttentionShape shape, AttentionArgs args, View kept, AttentionGradients gradients) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
        {
            ScoreGradient rows = DeltaRows.Prepare<T>(context, TopKAttentionBackwardCall.Name, shape, args, gradients, default);
            ArrayView<float> memory = context.Scratch(2 * kept.Count * sizeof(float)).Cast<float>();
            var work = new TopKQueryWork<T>
            {
                Q = HeadView<T>.Of(context, args.Q),
                K = HeadView<T>.Of(context, args.K),
                V = HeadView<T>.Of(context, args.V),
                DY = HeadView<T>.Of(context, gradients.DY),
                DQ = HeadView<T>.Of(context, gradients.DQ),
                Rows = rows,
                Kept = context.View<int>(kept),
                Weights = memory.SubView(0, kept.Count),
                Gradients = memory.SubView(kept.Count, kept.Count),
                Heads = shape.Heads,
                GroupHeads = shape.Group,
                Keep = kept.Layout[3],
                Accumulate = gradients.AccumulateQ ? 1 : 0,
            };
            context.Launch(work, (long)shape.Batch * shape.Heads * shape.Time, context.GroupSize);
            Keys(work, work.Q, work.Gradients, gradients.DK, gradients.AccumulateK);
            Keys(work, work.DY, work.Weights, gradients.DV, gradients.AccumulateV);
        }

        private void Keys<T>(in TopKQueryWork<T> queries, in HeadView<T> x, ArrayView<float> weights, in View dx, bool accumulate)
            where T : unmanaged, IElement<T>
        {
            if (dx.IsNone)
            {
                return;
            }

            var work = new TopKKeyWork<T>
            {
                X = x,
                DX = HeadView<T>.Of(context, dx),
                Kept = queries.Kept,
                Weights = weights,
                Seen = queries.Rows.Seen,
                KeyHeads = shape.KeyHeads,
                GroupHeads = shape.Group,
                Keep = queries.Keep,
                Accumulate = accumulate ? 1 : 0,
            };
            int threads = Math.Min(context.GroupSize, TopKKeyWork<T>.MostThreads), blocks = (shape.Keys + TopKKeyWork<T>.Keys - 1) / TopKKeyWork<T>.Keys;
            context.Launch(work, shape.Batch * shape.KeyHeads, blocks, (x.Depth + threads - 1) / threads, threads);
        }
    }
}
