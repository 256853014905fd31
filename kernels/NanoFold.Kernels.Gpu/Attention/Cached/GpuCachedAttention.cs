using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Gpu.Attention.Selected;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Attention.Cached;

/// <summary>
/// Attention of decoding and prefill: new keys and values are written to their slots, then a group takes a token of one head. Positions and counts
/// are read on the device; rows in which they cannot be have no new tokens.
/// </summary>
internal sealed class GpuCachedAttention(GpuContext context) : IKernel<CachedAttentionCall>
{
    /// <summary>Groups at most: each has a row of scores in memory.</summary>
    private const int MostGroups = 2048;

    /// <exception cref="ArgumentException">A shape, stride or type does not fit the others.</exception>
    public void Run(in CachedAttentionCall call)
    {
        var shape = new CachedAttentionShape(CachedAttentionCall.Name, call);
        if (shape.CacheType != shape.Type)
        {
            Checks.Throw(CachedAttentionCall.Name, $"a cache of {shape.CacheType} for queries of {shape.Type}, expected one type");
        }

        VisibleRule rule = call.Visible.Rule();
        if (rule.Sinks >= shape.Capacity)
        {
            Checks.Throw(CachedAttentionCall.Name, $"{rule.Sinks} sinks leave no room in a cache of {shape.Capacity}");
        }

        ByElement.Run(CachedAttentionCall.Name, call.Q, new Body(context, shape, call));
    }

    private readonly struct Body(GpuContext context, CachedAttentionShape shape, CachedAttentionCall args) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
        {
            var cache = new CacheView
            {
                Positions = context.View<int>(args.Positions),
                Counts = context.View<int>(args.Counts),
                Time = shape.Time,
                Capacity = shape.Capacity,
                Rule = args.Visible.Rule(),
                HasPrefixes = args.Visible.Prefixes.IsNone ? 0 : 1,
                Prefixes = context.View<int>(args.Visible.Prefixes),
            };
            Append<T>(cache, args.K, args.KeyCache);
            View values = args.ValueCache;
            if (args.V.IsNone)
            {
                // The first elements of keys.
                values = args.KeyCache.With(args.KeyCache.Layout.Slice(3, 0, shape.ValueDepth, out long offset), offset);
            }
            else
            {
                Append<T>(cache, args.V, args.ValueCache);
            }

            if (!args.Visible.Blocks.IsNone)
            {
                AttentionArgs listed = new() { Q = args.Q, K = args.KeyCache, V = args.ValueCache, Y = args.Y, LogSumExp = default, Scale = args.Scale, Visible = args.Visible };
                new SelectedForwardBody(context, listed, SelectedView.Of(context, shape, args)).Run<T>();
                return;
            }

            DecayView decay = DecayView.Of(context, args.Decay), cachedDecay = DecayView.Of(context, args.DecayCache);
            if (decay.Has != 0)
            {
                int count = checked((int)args.Decay.Count);
                context.Launch(
                    new CachedDecayWork { New = decay, Slots = cachedDecay, Cache = cache, Heads = shape.Heads, Count = count },
                    (count + context.GroupSize - 1) / context.GroupSize, context.GroupSize);
            }

            int rows = checked(shape.Batch * shape.Time * shape.Heads), groups = Math.Min(rows, context.IsSimulator ? 1 : MostGroups);
            var scratch = context.Scratch((long)groups * shape.Capacity * sizeof(float));
            var work = new CachedWork<T>
            {
                Q = HeadView<T>.Of(context, args.Q),
                Keys = HeadView<T>.Of(context, args.KeyCache),
                Values = HeadView<T>.Of(context, values),
                Y = HeadView<T>.Of(context, args.Y),
                Cache = cache,
                Decay = decay,
                CachedDecay = cachedDecay,
                Sinks = SinkView<T>.Of(context, args.SinkLogits),
                Scratch = scratch.Cast<float>(),
                Scale = (float)args.Scale,
                Cap = (float)args.Cap,
                Heads = shape.Heads,
                GroupHeads = shape.Heads / shape.KeyHeads,
                ValueGroup = shape.Heads / shape.ValueHeads,
                Rows = rows,
            };
            context.Launch(work, groups, context.GroupSize);
        }

        private void Append<T>(in CacheView cache, in View x, in View slots)
            where T : unmanaged, IElement<T>
        {
            var work = new CachedAppendWork<T>
            {
                X = HeadView<T>.Of(context, x),
                Slots = HeadView<T>.Of(context, slots),
                Cache = cache,
                Heads = x.Layout[2],
            };
            int fours = (x.Layout[3] + 3) / 4, threads = Math.Min(context.GroupSize, 32);
            context.Launch(work, shape.Batch * shape.Time * x.Layout[2], (fours + threads - 1) / threads, 1, threads);
        }
    }
}
