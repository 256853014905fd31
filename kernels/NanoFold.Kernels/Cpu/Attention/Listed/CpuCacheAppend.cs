using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Listed;

/// <summary>Writes the rows of new tokens to their slots.</summary>
public sealed class CpuCacheAppend(CpuContext context) : IKernel<CacheAppendCall>
{
    /// <exception cref="ArgumentException">A shape, stride or type does not fit, or a row's positions do not fit the cache.</exception>
    public void Run(in CacheAppendCall call)
    {
        call.Check();
        var work = new Work(call);
        context.Run(call.X.Type, work.Items, ref work);
    }

    private readonly unsafe struct Work(CacheAppendCall call) : ILaneWork
    {
        private readonly HeadRows _x = new(call.X), _cache = new(call.Cache);
        private readonly int* _positions = call.Positions.Ints, _counts = call.Counts.Ints;
        private readonly int _batch = call.X.Layout[0], _time = call.X.Layout[1], _heads = call.X.Layout[2], _depth = call.X.Layout[3], _slots = call.Cache.Layout[1];

        public long Items => _batch;

        public void Invoke<V>(long item, int worker)
            where V : struct, ICpuLane<V>
        {
            int batch = (int)item, position = _positions[batch], count = _counts[batch];
            if (position < 0 || count < 0 || count > _time || (long)position + count > _slots)
            {
                Checks.Throw(CacheAppendCall.Name, $"row {batch} has {count} new tokens of {_time} at position {position} of a cache of {_slots}");
            }

            nint bytes = _depth * Element.Size<V>();
            for (int i = 0; i < count; i++)
            {
                for (int h = 0; h < _heads; h++)
                {
                    Buffer.MemoryCopy(_x.Row<V>(batch, i, h), _cache.Row<V>(batch, position + i, h), bytes, bytes);
                }
            }
        }
    }
}
