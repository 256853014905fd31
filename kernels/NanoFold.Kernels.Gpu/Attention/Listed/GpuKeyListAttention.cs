using ILGPU;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Attention.Listed;

/// <summary>Attention over lists of keys: forward a group for each query, backward a group for each query, then one for each block of keys. The same bits each time.</summary>
internal sealed class GpuKeyListAttention(GpuContext context) : IKernel<KeyListAttentionCall>, IKernel<KeyListAttentionBackwardCall>
{
    /// <summary>Groups of the forward pass at most: each has a row of weights in memory.</summary>
    private const int MostGroups = 2048;

    /// <exception cref="ArgumentException">A shape, stride, type or visibility does not fit.</exception>
    public void Run(in KeyListAttentionCall call)
    {
        KeyListAttentionCall own = call;
        ByElement.Run(KeyListAttentionCall.Name, call.Args.Q, new ForwardBody(context, call.Kept.Check(KeyListAttentionCall.Name, call.Args), own));
    }

    /// <exception cref="ArgumentException">A shape, stride, type or visibility does not fit, or the scratch is too small.</exception>
    public void Run(in KeyListAttentionBackwardCall call)
    {
        call.Check();
        KeyListAttentionBackwardCall own = call;
        ByElement.Run(KeyListAttentionBackwardCall.Name, call.Args.Q, new BackwardBody(context, new AttentionShape(KeyListAttentionBackwardCall.Name, call.Args), own));
    }

    public long ScratchBytes(in KeyListAttentionBackwardCall shape) => DeltaRows.Bytes(shape.Args);

    private readonly struct ForwardBody(GpuContext context, AttentionShape shape, KeyListAttentionCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
        {
            AttentionArgs args = call.Args;
            ListView kept = ListView.Of(context, call.Kept, shape.Heads, shape.Keys);
            int rows = checked(shape.Batch * shape.Heads * shape.Time), groups = Math.Min(rows, context.IsSimulator ? 1 : MostGroups);
            long floats = (long)groups * kept.Length;
            var work = new KeyListForwardWork<T>
            {
                Q = HeadView<T>.Of(context, args.Q),
                K = HeadView<T>.Of(context, args.K),
                V = HeadView<T>.Of(context, args.V),
                Y = HeadView<T>.Of(context, args.Y),
                LogSumExp = context.View<float>(args.LogSumExp),
                Kept = kept,
                Seen = SeenView.Of(context, args.Visible, shape.Time, shape.Keys, call.Kept.Positions, call.Kept.Counts),
                Scratch = context.Scratch(floats * sizeof(float)).Cast<float>(),
                Scale = (float)args.Scale,
                Heads = shape.Heads,
                GroupHeads = shape.Group,
                Rows = rows,
            };
            context.Launch(work, groups, context.GroupSize);
        }
    }

    private readonly struct BackwardBody(GpuContext context, AttentionShape shape, KeyListAttentionBackwardCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
        {
            AttentionArgs args = call.Args;
            AttentionGradients gradients = call.Gradients;
            ScoreGradient rows = DeltaRows.Prepare<T>(context, KeyListAttentionBackwardCall.Name, shape, args, gradients, default);
            ListView kept = ListView.Of(context, call.Kept, shape.Heads, shape.Keys);
            long queries = (long)shape.Batch * shape.Heads * shape.Time, floats = queries * kept.Length;
            ArrayView<float> memory = context.Scratch(2 * floats * sizeof(float)).Cast<float>();
            var work = new KeyListQueryWork<T>
            {
                Q = HeadView<T>.Of(context, args.Q),
                K = HeadView<T>.Of(context, args.K),
                V = HeadView<T>.Of(context, args.V),
                DY = HeadView<T>.Of(context, gradients.DY),
                DQ = HeadView<T>.Of(context, gradients.DQ),
                Rows = rows,
                Kept = kept,
                Weights = memory.SubView(0, floats),
                Gradients = memory.SubView(floats, floats),
                Heads = shape.Heads,
                GroupHeads = shape.Group,
                Accumulate = gradients.AccumulateQ ? 1 : 0,
            };
            context.Launch(work, queries, context.GroupSize);
            Keys(work, work.Q, work.Gradients, gradients.DK, gradients.AccumulateK);
            Keys(work, work.DY, work.Weights, gradients.DV, gradients.AccumulateV);
        }

        private void Keys<T>(in KeyListQueryWork<T> queries, in HeadView<T> x, ArrayView<float> weights, in View dx, bool accumulate)
            where T : unmanaged, IElement<T>
        {
            if (dx.IsNone)
            {
                return;
            }

            var work = new KeyListKeyWork<T>
            {
                X = x,
                DX = HeadView<T>.Of(context, dx),
                Kept = queries.Kept,
                Weights = weights,
                Seen = queries.Rows.Seen,
                KeyHeads = shape.KeyHeads,
                GroupHeads = shape.Group,
                Accumulate = accumulate ? 1 : 0,
                EndQuery = shape.Time,
                WeightRows = shape.Time,
            };
            int threads = Math.Min(context.GroupSize, KeyListKeyWork<T>.MostThreads), blocks = (shape.Keys + KeyListKeyWork<T>.Keys - 1) / KeyListKeyWork<T>.Keys;
            context.Launch(work, shape.Batch * shape.KeyHeads, blocks, (x.Depth + threads - 1) / threads, threads);
        }
    }
}
