using NanoFold.Kernels.Cpu.Attention.Blocks;
using NanoFold.Kernels.Cpu.Attention.Full;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Listed;

/// <summary>
/// Attention over lists of keys; an item is a batch row, a head and a block of queries. Keys go by in tiles, and each query takes its own of a tile: a
/// tile's rows stay near while all queries of the block pick among them.
/// </summary>
internal readonly unsafe struct KeyListForwardWork(CpuContext context, AttentionProblem problem, QueryLists lists, SeenKeys seen) : ILaneWork
{
    public const int TileKeys = 256;
    private const int Queries = 64;

    public long Items => (long)problem.Batch * problem.Heads * BlockSizes.Count(problem.Time, Queries);

    public void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        long pairs = (long)problem.Batch * problem.Heads;
        int batch = (int)(item % pairs / problem.Heads), head = (int)(item % pairs % problem.Heads), keyHead = head / problem.Group;
        int first = (int)(item / pairs) * Queries, end = Math.Min(first + Queries, problem.Time);
        int count = Math.Clamp(seen.Queries(batch) - first, 0, end - first);
        for (int t = first + count; t < end; t++)
        {
            HeadRow.Zero<V>(problem.Y.Row<V>(batch, t, head), problem.ValueDepth);
            Element.Set<V>(problem.LogSumExpRow<V>(batch, head, t), 0, double.NegativeInfinity);
        }

        var lane = LaneSize.Of<V>();
        var scratch = new Scratch(context.Scratch(worker, new Scratch(null, lists, problem.ValueDepth, lane).Bytes), lists, problem.ValueDepth, lane);
        int longest = 0;
        for (int r = 0; r < count; r++)
        {
            scratch.Keys[r] = (nint)lists.Of(batch, head, first + r, scratch.Room + ((long)r * lists.Room), out scratch.Counts[r]);
            longest = Math.Max(longest, scratch.Counts[r] > 0 ? ((int*)scratch.Keys[r])[scratch.Counts[r] - 1] + 1 : 0);
        }

        Pass<V>(scratch, true, batch, head, keyHead, first, count, longest);
        for (int r = 0; r < count; r++)
        {
            (double maximum, double sum) = Exponentiate<V>(Element.At<V>(scratch.Scores, r * scratch.ScoreRow), scratch.Counts[r]);
            Element.Set<V>(scratch.Sums, r, sum);
            Element.Set<V>(problem.LogSumExpRow<V>(batch, head, first + r), 0, (maximum * SoftmaxPower.NatsPerBit) + PortableMath.Log(sum));
        }

        HeadRow.Zero<V>(scratch.Output, count * scratch.OutputRow);
        Pass<V>(scratch, false, batch, head, keyHead, first, count, longest);
        for (int r = 0; r < count; r++)
        {
            // A list that is empty gives 0; not a number is no 0, and stays.
            double sum = Element.Get<V>(scratch.Sums, r);
            HeadRow.Write(Element.At<V>(scratch.Output, r * scratch.OutputRow), problem.Y.Row<V>(batch, first + r, head), problem.ValueDepth, V.Constant(sum == 0 ? 0 : 1 / sum));
        }
    }

    // Scores of all lists, tile by tile, or sums of values by them.
    private void Pass<V>(in Scratch scratch, bool isOfKeys, int batch, int head, int keyHead, int first, int count, int end)
        where V : struct, ICpuLane<V>
    {
        void* rows = isOfKeys ? problem.K.Row<V>(batch, 0, keyHead) : problem.V.Row<V>(batch, 0, keyHead);
        nint row = isOfKeys ? problem.K.Time : problem.V.Time;
        new Span<int>(scratch.Next, count).Clear();
        for (int tile = 0; tile < end; tile += TileKeys)
        {
            for (int r = 0; r < count; r++)
            {
                int* keys = (int*)scratch.Keys[r] + scratch.Next[r];
                int size = ListedRows.Before(keys, 0, scratch.Counts[r] - scratch.Next[r], tile + TileKeys);
                if (size == 0)
                {
                    continue;
                }

                void* scores = Element.At<V>(scratch.Scores, (r * scratch.ScoreRow) + scratch.Next[r]);
                if (isOfKeys)
                {
                    ListedRows.Dots<V>(problem.Q.Row<V>(batch, first + r, head), rows, row, keys, size, problem.Depth, scores);
                }
                else
                {
                    ListedRows.AddWeighted<V>(scores, rows, row, keys, size, Element.At<V>(scratch.Output, r * scratch.OutputRow), problem.ValueDepth);
                }

                scratch.Next[r] += size;
            }
        }
    }

    // Products become powers of 2 below their maximum.
    private (double Maximum, double Sum) Exponentiate<V>(void* scores, int count)
        where V : struct, ICpuLane<V>
    {
        if (count == 0)
        {
            return (0, 0);
        }

        int padded = LaneSize.Of<V>().Padded(count);
        V scale = V.Constant(problem.Scale * SoftmaxPower.BitsPerNat), largest = V.Constant(double.NegativeInfinity), sum = default;
        Element.Fill<V>(Element.At<V>(scores, count), padded - count, Element.Get<V>(scores, 0));
        for (nint i = 0; i < padded; i += V.Width)
        {
            V x = V.Load(scores, i) * scale;
            V.Store(scores, i, x);
            largest = V.Max(largest, x);
        }

        Element.Fill<V>(Element.At<V>(scores, count), padded - count, double.NegativeInfinity);
        double maximum = V.Largest(largest);
        V top = V.Constant(maximum);
        for (nint i = 0; i < padded; i += V.Width)
        {
            V x = SoftmaxPower.Of(V.Load(scores, i) - top);
            V.Store(scores, i, x);
            sum += x;
        }

        return (maximum, V.Sum(sum));
    }

    private readonly struct Scratch
    {
        public Scratch(void* memory, in QueryLists lists, int valueDepth, LaneSize lane)
        {
            var cursor = new ScratchCursor(memory);
            ScoreRow = lane.Padded(lists.Most);
            OutputRow = lane.Padded(valueDepth);
            Keys = (nint*)cursor.Take(Queries * (long)sizeof(nint));
            Counts = (int*)cursor.Take(Queries * sizeof(int));
            Next = (int*)cursor.Take(Queries * sizeof(int));
            Room = (int*)cursor.Take((long)Queries * lists.Room * sizeof(int));
            Sums = cursor.Take((long)Queries * lane.Bytes);
            Output = cursor.Take((long)Queries * OutputRow * lane.Bytes);
            Scores = cursor.Take((long)Queries * ScoreRow * lane.Bytes);
            Bytes = cursor.Used;
        }

        /// <summary>Elements between rows.</summary>
        public nint ScoreRow { get; }

        public nint OutputRow { get; }

        /// <summary>Addresses of the queries' lists.</summary>
        public nint* Keys { get; }

        /// <summary>Their lengths.</summary>
        public int* Counts { get; }

        /// <summary>How far a pass has come in each.</summary>
        public int* Next { get; }

        /// <summary>Where lists of blocks become lists of keys.</summary>
        public int* Room { get; }

        public void* Sums { get; }

        public void* Output { get; }

        public void* Scores { get; }

        public long Bytes { get; }
    }
}
