using NanoFold.Kernels.Calls.RecurrentHeads;
using NanoFold.Kernels.Cpu.Attention;
using NanoFold.Kernels.Cpu.Attention.Blocks;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.RecurrentHeads;

/// <summary>Queries, keys and factors of a chunk, and the scores that its places have for each other. Rows are padded to whole lanes with 0.</summary>
internal readonly unsafe struct ChunkScores
{
    private const int Chunk = RecurrentHeadsShape.Chunk;

    private readonly int _depth;
    private readonly ElementBlocks _elements;
    private readonly void* _panels;

    public ChunkScores(ref ScratchCursor cursor, in HeadsProblem problem, LaneSize lane)
    {
        _depth = problem.KeyWidth;
        Ahead = (FetchAhead*)cursor.Take(sizeof(FetchAhead));
        Products = new ChunkProducts(Ahead);
        Width = lane.Padded(_depth);
        Queries = cursor.Take((long)Chunk * Width * lane.Bytes);
        Keys = cursor.Take((long)Chunk * Width * lane.Bytes);
        OfQueries = cursor.Take((long)Chunk * Chunk * lane.Bytes);
        OfKeys = problem.HasBeta ? cursor.Take((long)Chunk * Chunk * lane.Bytes) : null;
        Decay = new ChunkDecay(ref cursor, problem, lane);
        if (Decay.Kind == HeadDecay.Vector)
        {
            _elements = new ElementBlocks(ref cursor, problem, lane, Products);
        }
        else
        {
            _panels = cursor.Take((long)Chunk * _depth * lane.Bytes);
        }
    }

    /// <summary>What the products of the chunk fetch on the way.</summary>
    public FetchAhead* Ahead { get; }

    public ChunkProducts Products { get; }

    /// <summary>Elements of a row of q and k.</summary>
    public int Width { get; }

    /// <summary>Times the scale.</summary>
    public void* Queries { get; }

    public void* Keys { get; }

    /// <summary>[t, s] of q and k, rows of C: q_t · k_s with the factors between them for s ≤ t, 0 else where a product of triangles reads it.</summary>
    public void* OfQueries { get; }

    /// <summary>The same of k and k for s &lt; t, times a sign; null without the delta rule.</summary>
    public void* OfKeys { get; }

    public ChunkDecay Decay { get; }

    /// <summary>Once for all chunks of an item.</summary>
    public void Start<V>()
        where V : struct, ICpuLane<V>
    {
        Ahead->Clear();
        Decay.Start<V>();
        HeadRow.Zero<V>(OfQueries, Chunk * Chunk);
        if (OfKeys is not null)
        {
            HeadRow.Zero<V>(OfKeys, Chunk * Chunk);
        }
    }

    /// <summary>Reads places [first, first + count) of a head and makes the scores.</summary>
    public void Load<V>(in HeadsProblem problem, int batch, int head, int first, int count, double sign)
        where V : struct, ICpuLane<V>
    {
        int group = problem.Group(head);
        ChunkRows.Load<V>(problem.Q.Row<V>(batch, first, group), problem.Q.Time, count, _depth, Queries, Width, problem.Scale);
        ChunkRows.Load<V>(problem.K.Row<V>(batch, first, group), problem.K.Time, count, _depth, Keys, Width, 1);
        Decay.Load<V>(problem, batch, head, first, count);
        if (Decay.Kind == HeadDecay.Vector)
        {
            _elements.Scores<V>(Decay.Rows, Queries, Keys, count, OfQueries, OfKeys, sign);
            return;
        }

        BlockPacking.Transposed<V>(Keys, Width, 0, 1, count, _depth, _panels, 1);
        var right = Right.InPanels<V>(_panels, _depth, (count + V.Width - 1) / V.Width);
        Products.Lower<V>(new Left(Queries, Width), count, _depth, right, OfQueries, Chunk);
        Mask<V>(OfQueries, count, 1, withDiagonal: true);
        if (OfKeys is not null)
        {
            Products.Lower<V>(new Left(Keys, Width), count, _depth, right, OfKeys, Chunk);
            Mask<V>(OfKeys, count, sign, withDiagonal: false);
        }
    }

    /// <summary>Lets the products fetch what <see cref="Load"/> reads of places [first, first + count).</summary>
    public void Fetch<V>(in HeadsProblem problem, int batch, int head, int first, int count)
        where V : struct, ICpuLane<V>
    {
        int group = problem.Group(head);
        Ahead->Add<V>(problem.Q, batch, first, group, count, _depth);
        Ahead->Add<V>(problem.K, batch, first, group, count, _depth);
        if (Decay.Kind == HeadDecay.Vector)
        {
            Ahead->Add<V>(problem.Decays.At<V>(batch, first, head), problem.Decays.Time, count, _depth);
        }
    }

    /// <summary>Adds what gradients of the scores bring to dq, to dk as k is read and as it is written; gradients are changed.</summary>
    /// <param name="dOfKeys">Null without the delta rule, as is <paramref name="dRead"/>.</param>
    public void Gradients<V>(int count, void* dOfQueries, void* dOfKeys, void* dq, void* dRead, void* dWritten)
        where V : struct, ICpuLane<V>
    {
        if (Decay.Kind == HeadDecay.Vector)
        {
            _elements.Gradients<V>(Decay.Rows, Queries, Keys, count, dOfQueries, dOfKeys, dq, dRead, dWritten);
            return;
        }

        Right queries = Right.InRows<V>(Queries, Width), keys = Right.InRows<V>(Keys, Width);
        Mask<V>(dOfQueries, count, 1, withDiagonal: true);
        Products.OfLower<V>(new Left(dOfQueries, Chunk), count, keys, keys.Lanes, dq, Width, accumulate: true);
        Products.OfLowerTransposed<V>(dOfQueries, Chunk, count, queries, keys.Lanes, dWritten, Width, accumulate: true);
        if (dOfKeys is not null)
        {
            Mask<V>(dOfKeys, count, 1, withDiagonal: false);
            Products.OfLower<V>(new Left(dOfKeys, Chunk), count, keys, keys.Lanes, dRead, Width, accumulate: true);
            Products.OfLowerTransposed<V>(dOfKeys, Chunk, count, keys, keys.Lanes, dWritten, Width, accumulate: true);
        }
    }

    // Times the factors between the two places, 0 above the diagonal, in the lanes that products of triangles read.
    private void Mask<V>(void* scores, int count, double sign, bool withDiagonal)
        where V : struct, ICpuLane<V>
    {
        V factor = V.Constant(sign);
        for (int t = 0; t < count; t++)
        {
            nint row = (nint)t * Chunk, end = Math.Min(ChunkProducts.Padded(t + 1), count);
            for (nint s = 0; s < end; s += V.Width)
            {
                V.Store(scores, row + s, V.Load(scores, row + s) * (factor * V.Load(Decay.Between, row + s)));
            }

            if (!withDiagonal)
            {
                Element.Set<V>(scores, row + t, 0);
            }
        }
    }
}

/// <summary>Rows between tensors, whose heads lie apart, and the buffers of a chunk.</summary>
internal static unsafe class ChunkRows
{
    /// <summary>target = factor · source, padded with 0 to <paramref name="width"/>, whole lanes.</summary>
    public static void Load<V>(void* source, nint sourceRow, int rows, int depth, void* target, int width, double factor)
        where V : struct, ICpuLane<V>
    {
        V times = V.Constant(factor);
        for (nint r = 0; r < rows; r++)
        {
            void* from = Element.At<V>(source, r * sourceRow), to = Element.At<V>(target, r * width);
            nint i = 0;
            for (; i + V.Width <= depth; i += V.Width)
            {
                V.Store(to, i, V.Load(from, i) * times);
            }

            if (i < depth)
            {
                V.Store(to, i, V.LoadPart(from, i, (int)(depth - i)) * times);
            }
        }
    }

    /// <summary>target = factor · source, or added to it.</summary>
    public static void Store<V>(void* source, int width, void* target, nint targetRow, int rows, int depth, double factor, bool accumulate)
        where V : struct, ICpuLane<V>
    {
        double times;
        Element.Set<V>(&times, 0, factor);
        HeadRow.WriteRows<V>(source, width, target, targetRow, rows, depth, &times, 0, accumulate);
    }
}
