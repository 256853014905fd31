using ILGPU;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Gpu.Attention.Selected;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Attention.Full;

/// <summary>
/// Attention in tiles in shared memory with the online softmax, on any device and for any head dimension; computed in single precision.
/// Tiles in which nothing is visible cost nothing: out of order, out of the window, of other documents (packed ones by a look at each token), in no list.
/// Blocks of a table do best as multiples of 64 queries and 32 keys. The backward pass has a kernel for dk and dv and one for dq: no sums across groups,
/// the same bits each time.
/// </summary>
internal sealed class GpuFusedAttention(GpuContext context) : IKernel<AttentionCall>, IKernel<AttentionBackwardCall>
{
    /// <summary>Bytes of memory that the threads of a group share, in the kernel that asks for most.</summary>
    public const int SharedBytes = 37_376;

    private const int FewQueries = 16;

    /// <exception cref="ArgumentException">A shape, stride or type does not fit the others.</exception>
    public void Run(in AttentionCall call)
    {
        AttentionArgs args = call.Args;
        var shape = new AttentionShape(AttentionCall.Name, args);
        if (shape.HasListsOfFew(FewQueries))
        {
            ByElement.Run(AttentionCall.Name, args.Q, new SelectedForwardBody(context, args, SelectedView.Of(context, shape, args.Visible)));
            return;
        }

        ByElement.Run(AttentionCall.Name, args.Q, new ForwardBody(context, shape, args));
    }

    /// <exception cref="ArgumentException">A shape, stride or type does not fit the others, or the scratch is too small.</exception>
    public void Run(in AttentionBackwardCall call)
    {
        AttentionArgs args = call.Args;
        AttentionGradients gradients = call.Gradients;
        var shape = new AttentionShape(AttentionBackwardCall.Name, args);
        shape.Check(AttentionBackwardCall.Name, gradients);
        if (shape.HasListsOfFew(FewQueries))
        {
            var selected = new SelectedBackwardBody(context, AttentionBackwardCall.Name, shape, args, gradients, SelectedView.Of(context, shape, args.Visible));
            ByElement.Run(AttentionBackwardCall.Name, args.Q, selected);
            return;
        }

        ByElement.Run(AttentionBackwardCall.Name, args.Q, new BackwardBody(context, shape, args, gradients));
    }

    public long ScratchBytes(in AttentionBackwardCall shape) => DeltaRows.Bytes(shape.Args);

    private static int Chunks(int depth) => (depth + TileGroup.Chunk - 1) / TileGroup.Chunk;

    /// <summary>Memory for what documents reach.</summary>
    private static ArrayView<int> Reach(GpuContext context, in AttentionShape shape)
        => shape.HasDocuments ? context.Scratch(DocumentReach.Length(shape) * sizeof(int)).Cast<int>() : default;

    private readonly struct ForwardBody(GpuContext context, AttentionShape shape, AttentionArgs args) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
        {
            var work = new ForwardWork<T>
            {
                Q = HeadView<T>.Of(context, args.Q),
                K = HeadView<T>.Of(context, args.K),
                V = HeadView<T>.Of(context, args.V),
                Y = HeadView<T>.Of(context, args.Y),
                LogSumExp = context.View<float>(args.LogSumExp),
                Seen = VisibleView.Of(context, shape, args.Visible, Reach(context, shape)),
                Decay = DecayView.Of(context, args.Decay),
                Sinks = SinkView<T>.Of(context, args.SinkLogits),
                Scale = (float)args.Scale,
                Cap = (float)args.Cap,
                Heads = shape.Heads,
                GroupHeads = shape.Group,
                ValueGroup = shape.ValueGroup,
            };
            int threads = TileGroup.Threads(context);
            context.Launch(work, shape.Batch * shape.Heads, work.Seen.Blocks.QueryGroups(TileGroup.Rows(threads)), Chunks(shape.ValueDepth), threads);
        }
    }

    private readonly struct BackwardBody(GpuContext context, AttentionShape shape, AttentionArgs args, AttentionGradients gradients) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
        {
            ScoreGradient rows = DeltaRows.Prepare<T>(context, AttentionBackwardCall.Name, shape, args, gradients, Reach(context, shape));
            var q = HeadView<T>.Of(context, args.Q);
            var k = HeadView<T>.Of(context, args.K);
            var v = HeadView<T>.Of(context, args.V);
            var dy = HeadView<T>.Of(context, gradients.DY);
            int threads = TileGroup.Threads(context), size = TileGroup.Rows(threads);
            bool wantsDecay = !gradients.DDecay.IsNone, together = shape.ValueHeads == shape.KeyHeads;
            var keys = new KeyGradientWork<T>
            {
                Q = q,
                K = k,
                V = v,
                DY = dy,
                DK = HeadView<T>.Of(context, gradients.DK),
                DV = HeadView<T>.Of(context, together ? gradients.DV : default),
                DDecay = context.View<float>(gradients.DDecay),
                Rows = rows,
                OwnHeads = shape.KeyHeads,
                GroupHeads = shape.Group,
                KeyGroup = shape.Group,
                ValueGroup = shape.ValueGroup,
                WantsDecay = wantsDecay ? 1 : 0,
                AccumulateK = gradients.AccumulateK ? 1 : 0,
                AccumulateV = gradients.AccumulateV ? 1 : 0,
                AccumulateDecay = gradients.AccumulateDecay ? 1 : 0,
            };
            if (!gradients.DK.IsNone || (together && !gradients.DV.IsNone) || wantsDecay)
            {
                int chunks = Math.Max(Chunks(shape.Depth), Chunks(shape.ValueDepth));
                context.Launch(keys, shape.Batch * shape.KeyHeads, rows.Seen.Blocks.KeyGroups(size), chunks, threads);
            }

            if (!together && !gradients.DV.IsNone)
            {
                // Values with heads of their own: once more, by these.
                keys.DK = HeadView<T>.Of(context, default);
                keys.DV = HeadView<T>.Of(context, gradients.DV);
                keys.WantsDecay = 0;
                keys.OwnHeads = shape.ValueHeads;
                keys.GroupHeads = shape.ValueGroup;
                context.Launch(keys, shape.Batch * shape.ValueHeads, rows.Seen.Blocks.KeyGroups(size), Chunks(shape.ValueDepth), threads);
            }

            if (!gradients.DQ.IsNone)
            {
                var queries = new QueryGradientWork<T>
                {
                    Q = q,
                    K = k,
                    V = v,
                    DY = dy,
                    DQ = HeadView<T>.Of(context, gradients.DQ),
                    Rows = rows,
                    Heads = shape.Heads,
                    GroupHeads = shape.Group,
                    ValueGroup = shape.ValueGroup,
                    Accumulate = gradients.AccumulateQ ? 1 : 0,
                };
                context.Launch(queries, shape.Batch * shape.Heads, rows.Seen.Blocks.QueryGroups(size), Chunks(shape.Depth), threads);
            }

            if (!gradients.DSinkLogits.IsNone || (wantsDecay && shape.HasSinkLogits))
            {
                var sinks = new SinkGradientWork<T>
                {
                    Sinks = SinkView<T>.Of(context, args.SinkLogits),
                    Bits = rows.Bits,
                    Delta = rows.Delta,
                    DSinks = context.View<float>(gradients.DSinkLogits),
                    DDecay = context.View<float>(gradients.DDecay),
                    Batch = shape.Batch,
                    Time = shape.Time,
                    Keys = shape.Keys,
                    Heads = shape.Heads,
                    RowLength = rows.RowLength,
                    WantsSinks = gradients.DSinkLogits.IsNone ? 0 : 1,
                    WantsDecay = wantsDecay ? 1 : 0,
                    Accumulate = gradients.AccumulateSinkLogits ? 1 : 0,
                };
                context.Launch(sinks, shape.Heads, context.GroupSize);
            }
        }
    }
}
