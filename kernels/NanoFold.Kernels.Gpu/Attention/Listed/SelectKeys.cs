using ILGPU;
using ILGPU.Algorithms;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Attention.Listed;

/// <summary>Scores a query's keys, and lists those of the largest scores.</summary>
internal struct SelectKeysWork<T> : IGpuWork<SelectKeysWork<T>>
    where T : unmanaged, IElement<T>
{
    public HeadView<T> Q, K;
    public ArrayView<T> Weights;
    public long WeightBatch, WeightTime, WeightHead;
    public ArrayView<int> Kept;
    public SeenView Seen;

    /// <summary>For every group the ranks of keys (see <see cref="Ranks"/>), then those of blocks.</summary>
    public ArrayView<int> Scratch;

    public float Scale, Mass;
    public int Floor, KeySize, Blocks, Heads, GroupHeads, Lists, IsWeighted, Most, Rows;

    public static void Run(SelectKeysWork<T> w)
    {
        ArrayView<float> shared = SharedMemory.Allocate<float>(GroupReduce.Most);
        ArrayView<int> above = SharedMemory.Allocate<int>(GroupReduce.Most), equal = SharedMemory.Allocate<int>(GroupReduce.Most);
        int room = w.Seen.Keys + w.Blocks;
        ArrayView<int> ranks = w.Scratch.SubView((long)Grid.IdxX * room, w.Seen.Keys);
        for (int row = Grid.IdxX; row < w.Rows; row += Grid.DimX)
        {
            int query = row % w.Seen.Time, pair = row / w.Seen.Time, batch = pair / w.Lists, list = pair % w.Lists;
            SeenRow seen = w.Seen.Row(batch, query);
            int count = query < w.Seen.Queries(batch) ? seen.Count : 0;
            for (int i = Group.IdxX; i < count; i += Group.DimX)
            {
                int key = seen.KeyAt(i), rank = Ranks.Hidden;
                if (seen.Sees(key))
                {
                    rank = Ranks.Of(w.Score(batch, query, list, key));
                }

                ranks[i] = rank;
            }

            Group.Barrier();
            ArrayView<int> chosen = ranks;
            int first = seen.Start;
            if (w.KeySize > 1)
            {
                // Without sinks: the first key that may be seen has index 0.
                chosen = w.Scratch.SubView((long)Grid.IdxX * room + w.Seen.Keys, w.Blocks);
                first = seen.Start / w.KeySize;
                count = w.Pool(ranks, count, chosen, seen, first);
            }

            int sinks = w.KeySize > 1 ? 0 : seen.SinkEnd;
            int keep = w.Most;
            if (w.Mass > 0)
            {
                keep = IntrinsicMath.Min(keep, IntrinsicMath.Max(Ranks.Enough(shared, chosen, count, w.Mass), w.Floor));
            }

            Ranks.Pick(shared, above, equal, chosen, count, keep, w.Kept.SubView((long)row * w.Most, w.Most), sinks, first);
            Group.Barrier();
        }
    }

    private readonly float Score(int batch, int query, int list, int key)
    {
        if (IsWeighted == 0)
        {
            return RowWeights.Dot(Q, Q.Row(batch, query, list), K, K.Row(batch, key, list / GroupHeads)) * Scale;
        }

        float sum = 0;
        long weights = batch * WeightBatch + query * WeightTime;
        for (int h = 0; h < Heads; h++)
        {
            float product = RowWeights.Dot(Q, Q.Row(batch, query, h), K, K.Row(batch, key, 0)) * Scale;
            sum += T.Read(Weights[weights + h * WeightHead]) * (product < 0 ? 0 : product);
        }

        return sum;
    }

    // The largest rank of each block; that of the query's own is above all numbers. How many blocks there are.
    private readonly int Pool(ArrayView<int> ranks, int count, ArrayView<int> pooled, in SeenRow seen, int first)
    {
        int blocks = count == 0 ? 0 : (seen.Start + count - 1) / KeySize - first + 1, own = seen.Position / KeySize - first;
        for (int b = Group.IdxX; b < blocks; b += Group.DimX)
        {
            int from = IntrinsicMath.Max((first + b) * KeySize - seen.Start, 0), to = IntrinsicMath.Min((first + b + 1) * KeySize - seen.Start, count);
            int largest = Ranks.Hidden;
            for (int i = from; i < to; i++)
            {
                largest = IntrinsicMath.Max(largest, ranks[i]);
            }

            pooled[b] = b == own && largest < Ranks.Unordered ? Ranks.Unordered - 1 : largest;
        }

        Group.Barrier();
        return blocks;
    }
}
