using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Cpu.Attention.Blocks;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Selected;

/// <summary>Choices of key blocks on the CPU: scores of a few queries at a time, of which only the best are kept.</summary>
public sealed unsafe class CpuBlockChoice(CpuContext context) : IKernel<BlockChoiceCall>, IKernel<BlockPatternCall>
{
    /// <exception cref="ArgumentException">A shape, stride or type does not fit.</exception>
    public void Run(in BlockChoiceCall call)
    {
        call.Check();
        var work = new BlockChoiceWork(context, call);
        context.Run(call.Q.Type, work.Items, ref work);
    }

    /// <exception cref="ArgumentException">A shape or type does not fit, or a list has no room.</exception>
    public void Run(in BlockPatternCall call)
    {
        call.Check();
        int* lists = call.Lists.Ints, lengths = call.Lengths.Ints, positions = call.Positions.Ints;
        int rows = call.Lists.Layout[2], most = call.Lists.Layout[3];
        for (int row = 0; row < call.Lists.Layout[0] * rows; row++)
        {
            int own = ((row % rows * call.QuerySize) + (positions is null ? 0 : positions[row / rows])) / call.Size;
            var list = new Span<int>(lists + ((long)row * most), most);
            int count = 0;
            for (int block = 0; block <= own; block++)
            {
                if (own - block < call.Local || (own - block) % call.Stride == 0)
                {
                    if (count == most)
                    {
                        // Rows that bring no token stand anywhere.
                        break;
                    }

                    list[count++] = block;
                }
            }

            list[count..].Fill(-1);
            lengths[row] = count;
        }
    }
}

/// <summary>Lists of the blocks with the best means; an item is a batch row, a key head and a tile of queries.</summary>
internal readonly unsafe struct BlockChoiceWork : ILaneWork
{
    /// <summary>Two of the widest lanes.</summary>
    private const int Queries = 32;

    private readonly CpuContext _context;
    private readonly BlockChoiceCall _call;
    private readonly HeadRows _q, _means;
    private readonly int _batch, _time, _heads, _keyHeads, _depth, _blocks, _most, _tiles;
    private readonly int* _documents, _positions, _counts;

    public BlockChoiceWork(CpuContext context, in BlockChoiceCall call)
    {
        _context = context;
        _call = call;
        _q = new HeadRows(call.Q);
        _means = new HeadRows(call.Means);
        _batch = call.Q.Layout[0];
        _time = call.Q.Layout[1];
        _heads = call.Q.Layout[2];
        _depth = call.Q.Layout[3];
        _blocks = call.Means.Layout[1];
        _keyHeads = call.Means.Layout[2];
        _most = call.Lists.Layout[3];
        _tiles = BlockSizes.Count(_time, Queries);
        _documents = call.Documents.Ints;
        _positions = call.Positions.Ints;
        _counts = call.Counts.Ints;
    }

    public long Items => (long)_batch * _keyHeads * _tiles;

    public void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        int batch = (int)(item / _tiles / _keyHeads), keyHead = (int)(item / _tiles % _keyHeads);
        int first = (int)(item % _tiles) * Queries, end = Math.Min(first + Queries, _time);
        int count = _counts is null ? end - first : Math.Clamp(_counts[batch] - first, 0, end - first);
        int position = first + (_positions is null ? 0 : _positions[batch]), group = _heads / _keyHeads;

        // Means of blocks before the last query's own.
        int seen = Math.Min(count == 0 ? 0 : (position + count - 1) / _call.Size, _blocks);
        var scratch = new Scratch(null, _depth, seen, _most, LaneSize.Of<V>());
        scratch = new Scratch(_context.Scratch(worker, scratch.Bytes), _depth, seen, _most, LaneSize.Of<V>());
        bool isShared = !_call.LogSumExp.IsNone;
        if (isShared)
        {
            HeadRow.Zero<V>(scratch.Sums, (nint)seen * scratch.Columns);
        }

        for (int h = keyHead * group; h < (keyHead + 1) * group; h++)
        {
            if (count > 0)
            {
                Score<V>(scratch, batch, h, keyHead, first, count, seen);
            }

            if (isShared)
            {
                AddProbabilities<V>(scratch, batch, h, first, count, seen);
            }
            else
            {
                Choose<V>(scratch, scratch.Scores, batch, h, first, end, count, position, isShared);
            }
        }

        if (isShared)
        {
            Choose<V>(scratch, scratch.Sums, batch, keyHead, first, end, count, position, isShared);
        }
    }

    private void Score<V>(in Scratch scratch, int batch, int head, int keyHead, int first, int count, int seen)
        where V : struct, ICpuLane<V>
    {
        BlockPacking.Transposed<V>(_q.Row<V>(batch, first, head), _q.Time, 0, 1, count, _depth, scratch.Queries, 1);
        int padded = LaneSize.Of<V>().Padded(count);
        for (int c = 0; c < padded && seen > 0; c += 2 * V.Width)
        {
            Tiles.Down<V>(
                _means.Row<V>(batch, 0, keyHead), _means.Time, seen, _depth, Element.At<V>(scratch.Queries, (nint)c * _depth), Math.Min(2 * V.Width, padded - c),
                Element.At<V>(scratch.Scores, c), scratch.Columns);
        }
    }

    /// <summary>sums += exp(scale · score − lse).</summary>
    private void AddProbabilities<V>(in Scratch scratch, int batch, int head, int first, int count, int seen)
        where V : struct, ICpuLane<V>
    {
        void* logSumExp = Element.At<V>(_call.LogSumExp.Address, (((nint)batch * _heads) + head) * _time + first);
        V scale = V.Constant(_call.Scale * SoftmaxPower.BitsPerNat), bits = V.Constant(SoftmaxPower.BitsPerNat);
        for (int c = 0; c < count; c += V.Width)
        {
            V least = (c + V.Width <= count ? V.Load(logSumExp, c) : V.LoadPart(logSumExp, c, count - c)) * bits;
            for (nint j = 0, at = c; j < seen; j++, at += scratch.Columns)
            {
                V p = SoftmaxPower.Of((V.Load(scratch.Scores, at) * scale) - least);
                V.Store(scratch.Sums, at, V.Load(scratch.Sums, at) + p);
            }
        }
    }

    private void Choose<V>(in Scratch scratch, void* scores, int batch, int list, int first, int end, int count, int position, bool isShared)
        where V : struct, ICpuLane<V>
    {
        int perRow = isShared ? _keyHeads : _heads;
        int* lists = _call.Lists.Ints, lengths = _call.Lengths.Ints, blocks = scratch.Best.Blocks;
        for (int t = first; t < end; t++)
        {
            long row = (((long)batch * perRow) + list) * _time + t;
            int length = 0;
            if (t - first < count)
            {
                scratch.Best.Clear();
                length = Choose<V>(scratch, Element.At<V>(scores, t - first), batch, position + t - first, isShared);
            }

            int* target = lists + (row * _most);
            for (int i = 0; i < _most; i++)
            {
                target[i] = i < length ? blocks[i] : -1;
            }

            lengths[row] = length;
        }
    }

    /// <summary>The blocks of a query at a position, in ascending order.</summary>
    private int Choose<V>(in Scratch scratch, void* scores, int batch, int position, bool isShared)
        where V : struct, ICpuLane<V>
    {
        BestBlocks best = scratch.Best;
        int own = position / _call.Size, low = 0;
        int* documents = _documents is null ? null : _documents + ((long)batch * _time);
        while (documents is not null && low < own && !IsOf(documents, low, position))
        {
            low++;
        }

        // What is taken whatever its score; among them, too, the smaller block wins.
        int forced = 0;
        int* always = stackalloc int[3];
        for (int i = 0; i < (isShared ? 3 : 1); i++)
        {
            int block = !isShared || i == 2 ? own : i == 0 ? low : own - 1;
            if (block >= low && (forced == 0 || always[forced - 1] != block) && forced < _most)
            {
                always[forced++] = block;
            }
        }

        // Most blocks are turned away by one comparison.
        double least = double.NegativeInfinity;
        int first = isShared ? low + 1 : low, last = isShared ? own - 1 : own, wanted = _most - forced;
        for (int c = first; c < last && wanted > 0; c++)
        {
            double score = Element.Get<V>(scores, (nint)c * scratch.Columns);
            if (score > least && (documents is null || IsOf(documents, c, position)))
            {
                least = best.Offer(score, c, wanted);
            }
        }

        for (int i = 0; i < forced; i++)
        {
            best.Append(always[i]);
        }

        return best.Sort();
    }

    private bool IsOf(int* documents, int block, int position)
        => documents[Math.Min(((long)block + 1) * _call.Size, _time) - 1] == documents[position];

    private readonly struct Scratch
    {
        public Scratch(void* memory, int depth, int blocks, int most, LaneSize lane)
        {
            var cursor = new ScratchCursor(memory);
            Columns = lane.Padded(BlockChoiceWork.Queries);
            Queries = cursor.Take((long)Columns * depth * lane.Bytes);
            Scores = cursor.Take((long)blocks * Columns * lane.Bytes);
            Sums = cursor.Take((long)blocks * Columns * lane.Bytes);
            Best = new BestBlocks((int*)cursor.Take((most + 1L) * sizeof(int)), (double*)cursor.Take(most * (long)sizeof(double)));
            Bytes = cursor.Used;
        }

        public int Columns { get; }

        /// <summary>The queries, packed in columns.</summary>
        public void* Queries { get; }

        /// <summary>[blocks, <see cref="Columns"/>].</summary>
        public void* Scores { get; }

        public void* Sums { get; }

        public BestBlocks Best { get; }

        public long Bytes { get; }
    }
}

/// <summary>The blocks with the largest scores so far, best first; of equal ones the one that came first.</summary>
internal readonly unsafe struct BestBlocks(int* memory, double* scores)
{
    /// <summary>Up to here a list is sorted by insertion, which costs less than a call.</summary>
    private const int MostInserted = 24;

    public int* Blocks => memory + 1;

    private ref int Count => ref memory[0];

    public void Clear() => Count = 0;

    /// <summary>Takes a block that is among the <paramref name="most"/> best; what others must be above.</summary>
    public double Offer(double score, int block, int most)
    {
        int at = Count;
        if (at == most)
        {
            at--;
        }
        else
        {
            Count++;
        }

        for (; at > 0 && score > scores[at - 1]; at--)
        {
            scores[at] = scores[at - 1];
            Blocks[at] = Blocks[at - 1];
        }

        scores[at] = score;
        Blocks[at] = block;
        return Count == most ? scores[most - 1] : double.NegativeInfinity;
    }

    /// <summary>Takes a block whatever its score.</summary>
    public void Append(int block) => Blocks[Count++] = block;

    /// <summary>Puts the blocks in ascending order; how many they are.</summary>
    public int Sort()
    {
        int count = Count;
        if (count > MostInserted)
        {
            new Span<int>(Blocks, count).Sort();
            return count;
        }

        for (int i = 1; i < count; i++)
        {
            int block = Blocks[i], at = i;
            for (; at > 0 && Blocks[at - 1] > block; at--)
            {
                Blocks[at] = Blocks[at - 1];
            }

            Blocks[at] = block;
        }

        return count;
    }
}
