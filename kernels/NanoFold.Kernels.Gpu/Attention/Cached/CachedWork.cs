using ILGPU;
using ILGPU.Algorithms;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Attention.Cached;

/// <summary>Attention over a cache: a group takes a new token of one head at a time, over all it sees.</summary>
internal struct CachedWork<T> : IGpuWork<CachedWork<T>>
    where T : unmanaged, IElement<T>
{
    public HeadView<T> Q, Keys, Values, Y;
    public CacheView Cache;

    /// <summary>Running sums of log decays of the new tokens and of the cache.</summary>
    public DecayView Decay, CachedDecay;

    public SinkView<T> Sinks;

    /// <summary>For every group a row of scores.</summary>
    public ArrayView<float> Scratch;

    public float Scale, Cap;
    public int Heads, GroupHeads, ValueGroup, Rows;

    public static void Run(CachedWork<T> w)
    {
        ArrayView<float> shared = SharedMemory.Allocate<float>(GroupReduce.Most);
        ArrayView<Vector4<float>> sums = SharedMemory.Allocate<Vector4<float>>(GroupReduce.Most);
        ArrayView<float> scores = w.Scratch.SubView((long)Grid.IdxX * w.Cache.Capacity, w.Cache.Capacity);
        for (int row = Grid.IdxX; row < w.Rows; row += Grid.DimX)
        {
            int head = row % w.Heads, token = row / w.Heads, time = token % w.Cache.Time, batch = token / w.Cache.Time;
            bool isNew = time < w.Cache.Count(batch);
            CachedKeys keys = w.Cache.Seen(batch, w.Cache.Positions[batch] + time);
            int count = isNew ? keys.Count : 0, keyHead = head / w.GroupHeads;
            long pair = (long)batch * w.Heads + head;
            float maximum = w.Sinks.Of(head, float.NegativeInfinity), own = w.Decay.At(pair, time);
            for (int i = Group.IdxX; i < count; i += Group.DimX)
            {
                float score = RowWeights.Dot(w.Q, w.Q.Row(batch, time, head), w.Keys, w.Keys.Row(batch, keys.At(i), keyHead)) * w.Scale;
                score = ScoreCap.Of(score, w.Cap);
                score += own - w.CachedDecay.At(pair, keys.At(i));
                scores[i] = score;
                maximum = score > maximum ? score : maximum;
            }

            maximum = GroupReduce.Max(shared, maximum);
            Group.Barrier();
            float sum = RowWeights.Exponentiate(shared, scores, count, maximum);
            sum += w.Sinks.Has != 0 ? XMath.Exp(w.Sinks.Of(head, 0) - maximum) : 0;
            float factor = isNew ? 1 / sum : 0;
            RowWeights.Combine(sums, scores, count, keys, w.Values, batch, head / w.ValueGroup, w.Y, w.Y.Row(batch, time, head), factor, 0);
        }
    }
}

/// <summary>Writes the new keys, or values, of a token into their slot; a thread takes four columns. Grid: batch · time · head, chunk of columns.</summary>
internal struct CachedAppendWork<T> : IGpuWork<CachedAppendWork<T>>
    where T : unmanaged, IElement<T>
{
    public HeadView<T> X, Slots;
    public CacheView Cache;
    public int Heads;

    public static void Run(CachedAppendWork<T> w)
    {
        int head = Grid.IdxX % w.Heads, token = Grid.IdxX / w.Heads, time = token % w.Cache.Time, batch = token / w.Cache.Time;
        if (time >= w.Cache.Count(batch))
        {
            return;
        }

        int slot = w.Cache.Slot(w.Cache.Positions[batch] + time), column = (Grid.IdxY * Group.DimX + Group.IdxX) * 4;
        w.Slots.Write(w.Slots.Row(batch, slot, head), column, w.X.Read(w.X.Row(batch, time, head), column), 1, 0);
    }
}

/// <summary>Writes the new sums of decays into their slots; a thread takes one. Grid: batch · head · time.</summary>
internal struct CachedDecayWork : IGpuWork<CachedDecayWork>
{
    /// <summary>[B, H, T] and [B, H, capacity].</summary>
    public DecayView New, Slots;

    public CacheView Cache;
    public int Heads, Count;

    public static void Run(CachedDecayWork w)
    {
        int i = Grid.IdxX * Group.DimX + Group.IdxX;
        if (i < w.Count)
        {
            int time = i % w.Cache.Time, pair = i / w.Cache.Time, batch = pair / w.Heads;
            if (time < w.Cache.Count(batch))
            {
                w.Slots.Sums[(long)pair * w.Slots.Length + w.Cache.Slot(w.Cache.Positions[batch] + time)] = w.New.Sums[i];
            }
        }
    }
}
