using NanoFold.Kernels.Calls.RecurrentHeads;
using NanoFold.Kernels.Cpu.Attention;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.RecurrentHeads;

/// <summary>
/// The factors of a chunk's places, a_t = exp(decay_t), 0 where something begins: one for each place, or one for each element of the key. What lies between two places
/// is multiplied by the product of the factors between them; products of numbers up to 1 are exact to their own size, whereas a sum of logarithms loses what a
/// difference of large sums loses, and 0 is a factor like any other.
/// </summary>
internal readonly unsafe struct ChunkDecay
{
    private const int Chunk = RecurrentHeadsShape.Chunk;

    private readonly int _width;
    private readonly void* _factors, _fromStart, _toEnd, _whole, _units;

    public ChunkDecay(ref ScratchCursor cursor, in HeadsProblem problem, LaneSize lane)
    {
        Kind = problem.Decay == HeadDecay.Vector ? HeadDecay.Vector : problem.Fades ? HeadDecay.Scalar : HeadDecay.None;
        _width = lane.Padded(problem.KeyWidth);
        _factors = cursor.Take((long)Chunk * (Kind == HeadDecay.Vector ? _width : 1) * lane.Bytes);
        _fromStart = cursor.Take((long)Chunk * lane.Bytes);
        _toEnd = cursor.Take((long)Chunk * lane.Bytes);
        _whole = cursor.Take((long)_width * lane.Bytes);
        _units = cursor.Take((long)lane.Width * lane.Width * lane.Bytes);
        Between = cursor.Take((long)Chunk * Chunk * lane.Bytes);
    }

    /// <summary>None, a factor for each place, or one for each of its elements; what is constant is given as one for each place.</summary>
    public HeadDecay Kind { get; }

    /// <summary>[C, C]: the product of the factors of s + 1 … t for s ≤ t, 0 above the diagonal; not for factors of elements.</summary>
    public void* Between { get; }

    /// <summary>Factors of elements, rows of the padded key width.</summary>
    public void* Rows => _factors;

    /// <summary>Once for all chunks of an item.</summary>
    public void Start<V>()
        where V : struct, ICpuLane<V>
    {
        HeadRow.Zero<V>(_units, V.Width * V.Width);
        HeadRow.Zero<V>(Between, Chunk * Chunk);
        for (int i = 0; i < V.Width; i++)
        {
            Element.Set<V>(_units, (i * V.Width) + i, 1);
        }

        Element.Fill<V>(_factors, Chunk * (Kind == HeadDecay.Vector ? _width : 1), 1);
        if (Kind == HeadDecay.None)
        {
            FillBetween<V>(Chunk);
        }
    }

    /// <summary>Reads the factors of places [first, first + count).</summary>
    public void Load<V>(in HeadsProblem problem, int batch, int head, int first, int count)
        where V : struct, ICpuLane<V>
    {
        switch (Kind)
        {
            case HeadDecay.Scalar:
                Scalars<V>(problem, batch, head, first, count);
                FillBetween<V>(count);
                break;
            case HeadDecay.Vector:
                Vectors<V>(problem, batch, head, first, count);
                break;
        }
    }

    /// <summary>y_t = sign · x_t ⊙ the product of the factors up to that of t: what is left of a state that came to the chunk. May be in place.</summary>
    /// <returns>y, or x where they are the same.</returns>
    public void* FromStart<V>(void* x, void* y, int count, double sign = 1)
        where V : struct, ICpuLane<V>
    {
        if (Kind == HeadDecay.None && sign == 1)
        {
            return x;
        }

        if (Kind == HeadDecay.Vector)
        {
            DecayRows.FromStart(_factors, x, y, count, _width, V.Constant(sign));
        }
        else
        {
            DecayRows.Scale(Kind == HeadDecay.None ? null : _fromStart, x, y, count, _width, V.Constant(sign));
        }

        return y;
    }

    /// <summary>y_s = x_s ⊙ the product of the factors after that of s: what is left at the chunk's end of what is written at s. May be in place.</summary>
    /// <returns>y, or x where they are the same.</returns>
    public void* ToEnd<V>(void* x, void* y, int count)
        where V : struct, ICpuLane<V>
    {
        switch (Kind)
        {
            case HeadDecay.None:
                return x;
            case HeadDecay.Vector:
                DecayRows.ToEnd<V>(_factors, x, y, count, _width);
                return y;
            default:
                DecayRows.Scale(_toEnd, x, y, count, _width, V.Constant(1));
                return y;
        }
    }

    /// <summary>What is left of a state after the whole chunk, in place.</summary>
    public void Whole<V>(void* state, int rows, int width)
        where V : struct, ICpuLane<V>
    {
        if (Kind == HeadDecay.None)
        {
            return;
        }

        DecayRows.Scale(_whole, state, state, rows, width, V.Constant(1));
    }

    private void Scalars<V>(in HeadsProblem problem, int batch, int head, int first, int count)
        where V : struct, ICpuLane<V>
    {
        for (int i = 0; i < count; i++)
        {
            Element.Set<V>(_fromStart, i, problem.Decays.IsNone ? 0 : problem.Decays.Get<V>(batch, first + i, head));
        }

        for (nint i = 0; i < count; i += V.Width)
        {
            int rest = (int)Math.Min(V.Width, count - i);
            V.StorePart(_factors, i, rest, V.Exp(V.LoadPart(_fromStart, i, rest)));
        }

        double product = 1;
        for (int i = 0; i < count; i++)
        {
            if (!problem.Continues<V>(batch, first + i))
            {
                Element.Set<V>(_factors, i, 0);
            }

            product *= Element.Get<V>(_factors, i);
            Element.Set<V>(_fromStart, i, product);
        }

        Element.Fill<V>(_whole, problem.KeyWidth, product);
        product = 1;
        for (int i = count - 1; i >= 0; i--)
        {
            Element.Set<V>(_toEnd, i, product);
            product *= Element.Get<V>(_factors, i);
        }
    }

    private void Vectors<V>(in HeadsProblem problem, int batch, int head, int first, int count)
        where V : struct, ICpuLane<V>
    {
        for (int i = 0; i < count; i++)
        {
            void* target = Element.At<V>(_factors, (nint)i * _width);
            if (!problem.Continues<V>(batch, first + i))
            {
                HeadRow.Zero<V>(target, problem.KeyWidth);
                continue;
            }

            void* source = problem.Decays.At<V>(batch, first + i, head);
            nint d = 0;
            for (; d + V.Width <= problem.KeyWidth; d += V.Width)
            {
                V.Store(target, d, V.Exp(V.Load(source, d)));
            }

            if (d < problem.KeyWidth)
            {
                V.Store(target, d, V.Exp(V.LoadPart(source, d, (int)(problem.KeyWidth - d))));
            }
        }

        for (nint d = 0; d < _width; d += V.Width)
        {
            V product = V.Constant(1);
            for (int i = 0; i < count; i++)
            {
                product *= V.Load(_factors, (i * _width) + d);
            }

            V.Store(_whole, d, product);
        }
    }

    private void FillBetween<V>(int count)
        where V : struct, ICpuLane<V>
    {
        for (int lane = 0; lane < count; lane += V.Width)
        {
            V product = V.Constant(0);
            for (int t = lane; t < count; t++)
            {
                product *= V.Splat(_factors, t);
                if (t < lane + V.Width)
                {
                    product += V.Load(_units, (t - lane) * V.Width);
                }

                V.Store(Between, ((nint)t * Chunk) + lane, product);
            }
        }
    }
}
