using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Gpu.Attention.Cached;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Attention.Listed;

/// <summary>Writes the rows of new tokens to their slots. Positions and counts are read on the device; rows in which they cannot be have no new tokens.</summary>
internal sealed class GpuCacheAppend(GpuContext context) : IKernel<CacheAppendCall>
{
    /// <exception cref="ArgumentException">A shape, stride or type does not fit.</exception>
    public void Run(in CacheAppendCall call)
    {
        call.Check();
        CacheAppendCall own = call;
        ByElement.Run(CacheAppendCall.Name, call.X, new Body(context, own));
    }

    private readonly struct Body(GpuContext context, CacheAppendCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
        {
            Layout x = call.X.Layout;
            var work = new CachedAppendWork<T>
            {
                X = HeadView<T>.Of(context, call.X),
                Slots = HeadView<T>.Of(context, call.Cache),
                Cache = new CacheView
                {
                    Positions = context.View<int>(call.Positions),
                    Counts = context.View<int>(call.Counts),
                    Prefixes = context.View<int>(default),
                    Time = x[1],
                    Capacity = call.Cache.Layout[1],
                    Rule = Visible.Causal.Rule(),
                },
                Heads = x[2],
            };
            int fours = (x[3] + 3) / 4, threads = Math.Min(context.GroupSize, 32);
            context.Launch(work, x[0] * x[1] * x[2], (fours + threads - 1) / threads, 1, threads);
        }
    }
}
