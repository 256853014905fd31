using ILGPU;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Attention.Listed;

/// <summary>
/// What teaches an indexer. Queries go by in stretches, so that what is held for pairs stays small: a group for each query makes its loss and the gradients of
/// its index scores, then a group for each block of keys adds up those of the index keys.
/// </summary>
internal sealed class GpuIndexLoss(GpuContext context) : IKernel<IndexLossCall>, IKernel<IndexLossBackwardCall>
{
    /// <summary>Floats for pairs that are held at a time.</summary>
    private const long MostFloats = 1 << 24;

    /// <exception cref="ArgumentException">A shape, stride, type or visibility does not fit.</exception>
    public void Run(in IndexLossCall call)
    {
        call.Check();
        IndexLossCall own = call;
        ByElement.Run(IndexLossCall.Name, call.Q, new Body(context, own));
    }

    public void Run(in IndexLossBackwardCall call)
    {
        call.Check();
        IndexLossBackwardCall own = call;
        ByElement.Run(IndexLossBackwardCall.Name, call.X, new BackwardBody(context, own));
    }

    private readonly struct Body(GpuContext context, IndexLossCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
        {
            int batch = call.Q.Layout[0], time = call.Q.Layout[1], heads = call.Q.Layout[2], indexHeads = call.IndexQ.Layout[2];
            ListView kept = ListView.Of(context, call.Kept, heads, time);
            // Of a query: a row of each index head, and three rows besides.
            long each = (long)batch * (indexHeads + 3) * kept.Length;
            int queries = (int)Math.Clamp(MostFloats / each, 1, time);
            long losses = (long)batch * time, floats = queries * each;
            ArrayView<float> memory = context.Scratch((losses + floats) * sizeof(float)).Cast<float>();
            ArrayView<float> gradients = memory.SubView(losses, (long)queries * batch * indexHeads * kept.Length);
            var work = new IndexLossWork<T>
            {
                IndexQ = HeadView<T>.Of(context, call.IndexQ),
                IndexK = HeadView<T>.Of(context, call.IndexK),
                Q = HeadView<T>.Of(context, call.Q),
                K = HeadView<T>.Of(context, call.K),
                DIndexQ = HeadView<T>.Of(context, call.DIndexQ),
                Weights = context.View<T>(call.Weights),
                DWeights = context.View<T>(call.DWeights),
                WeightBatch = call.Weights.Layout.Stride(0),
                WeightTime = call.Weights.Layout.Stride(1),
                WeightHead = call.Weights.Layout.Stride(2),
                Kept = kept,
                Seen = SeenView.Of(context, call.Visible, time, time, default, default),
                Losses = memory.SubView(0, losses),
                Gradients = gradients,
                Rows = memory.SubView(losses + gradients.Length, (long)queries * batch * 3 * kept.Length),
                State = context.Slots(call.State),
                Scale = (float)call.Scale,
                IndexScale = (float)call.IndexScale,
                Factor = (float)(call.Factor / ((double)batch * time)),
                Heads = heads,
                GroupHeads = heads / call.K.Layout[2],
                IndexHeads = indexHeads,
                Queries = queries,
            };
            var keys = new KeyListKeyWork<T>
            {
                X = work.IndexQ,
                DX = HeadView<T>.Of(context, call.DIndexK),
                // One list for all index heads, however many heads attention has.
                Kept = ListView.Of(context, call.Kept, indexHeads, time),
                Weights = gradients,
                Seen = VisibleView.Of(context, call.Visible, batch, indexHeads, time, time),
                KeyHeads = 1,
                GroupHeads = indexHeads,
                WeightRows = queries,
            };
            int threads = Math.Min(context.GroupSize, KeyListKeyWork<T>.MostThreads), blocks = (time + KeyListKeyWork<T>.Keys - 1) / KeyListKeyWork<T>.Keys;
            for (int first = 0; first < time; first += queries)
            {
                work.First = keys.FirstQuery = first;
                work.Queries = keys.EndQuery = Math.Min(queries, time - first);
                keys.EndQuery += first;
                context.Launch(work, (long)batch * work.Queries, context.GroupSize);
                context.Launch(keys, batch, blocks, (keys.X.Depth + threads - 1) / threads, threads);
                keys.Accumulate = 1;
            }

            context.Launch(
                new IndexLossSumWork { Losses = work.Losses, Loss = context.View<float>(call.Loss), State = context.Slots(call.State), Term = (int)call.Term, Factor = call.Factor / losses, Count = (int)losses }, 1, context.GroupSize);
        }
    }

    private readonly struct BackwardBody(GpuContext context, IndexLossBackwardCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
            => context.LaunchThreads(
                new IndexLossBackwardWork<T>
                {
                    X = context.View<T>(call.X), DX = context.View<T>(call.DX), DLoss = context.View<float>(call.DLoss), Count = checked((int)call.X.Count), Accumulate = call.Accumulate ? 1 : 0,
                },
                call.X.Count);
    }
}
