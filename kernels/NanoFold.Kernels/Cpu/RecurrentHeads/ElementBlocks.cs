using NanoFold.Kernels.Calls.RecurrentHeads;
using NanoFold.Kernels.Cpu.Attention;
using NanoFold.Kernels.Cpu.Attention.Blocks;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.RecurrentHeads;

/// <summary>
/// Scores of a chunk whose factors are of elements, Σ_d x_t[d] k_s[d] a_{s+1}[d] … a_t[d] for s ≤ t: no product of two matrices, for the factors belong to pairs. But
/// for s &lt; m ≤ t they part at m, so a block of later places meets the one of as many before it in one product, x with the factors from m on and k with
/// those up to m. Halves of the chunk, quarters … do; inside the smallest blocks pairs are summed one by one (<see cref="ElementPairs"/>).
/// </summary>
internal readonly unsafe struct ElementBlocks
{
    private const int Chunk = RecurrentHeadsShape.Chunk, Largest = Chunk / 2;

    private readonly int _depth, _width;
    private readonly ChunkProducts _products;
    private readonly void* _writers, _queries, _keys, _panels;

    public ElementBlocks(ref ScratchCursor cursor, in HeadsProblem problem, LaneSize lane, ChunkProducts products)
    {
        _products = products;
        _depth = problem.KeyWidth;
        _width = lane.Padded(problem.KeyWidth);
        long bytes = (long)Largest * _width * lane.Bytes;
        _writers = cursor.Take(bytes);
        _queries = cursor.Take(bytes);
        _keys = cursor.Take(bytes);
        _panels = cursor.Take(bytes);
    }

    /// <summary>
    /// Scores of q and k, and sign · those of k and k for s &lt; t; rows of C. What is above the diagonal and not in a smallest block is left as it is: 0.
    /// </summary>
    /// <param name="factors">Rows of the padded key width, as q and k.</param>
    /// <param name="ofKeys">Null for no scores of k and k.</param>
    public void Scores<V>(void* factors, void* q, void* k, int count, void* scores, void* ofKeys, double sign)
        where V : struct, ICpuLane<V>
    {
        for (int half = Largest; half >= ElementPairs.Size; half /= 2)
        {
            for (int first = 0; first + half < count; first += 2 * half)
            {
                int middle = first + half, readers = Math.Min(half, count - middle);
                nint corner = ((nint)middle * Chunk) + first;
                Prepare<V>(factors, q, k, first, half, readers, ofKeys is null ? null : _keys, sign);
                BlockPacking.Transposed<V>(_writers, _width, 0, 1, half, _depth, _panels, 1);
                var right = Right.InPanels<V>(_panels, _depth, half / V.Width);
                _products.Full<V>(new Left(_queries, _width), readers, _depth, right, right.Lanes, Element.At<V>(scores, corner), Chunk, accumulate: false);
                if (ofKeys is not null)
                {
                    _products.Full<V>(new Left(_keys, _width), readers, _depth, right, right.Lanes, Element.At<V>(ofKeys, corner), Chunk, accumulate: false);
                }
            }
        }

        for (int first = 0; first < count; first += ElementPairs.Size)
        {
            ElementPairs.Scores<V>(factors, q, k, _width, first, Math.Min(ElementPairs.Size, count - first), scores, ofKeys, sign);
        }
    }

    /// <summary>Adds to dq, to dk where k reads (t) and to dk where it writes (s) what the gradients of the scores bring.</summary>
    /// <param name="dOfKeys">Null for no scores of k and k, as is <paramref name="dRead"/> then.</param>
    public void Gradients<V>(void* factors, void* q, void* k, int count, void* dScores, void* dOfKeys, void* dq, void* dRead, void* dWritten)
        where V : struct, ICpuLane<V>
    {
        int lanes = _width / V.Width;
        void* sums = _panels;
        for (int half = Largest; half >= ElementPairs.Size; half /= 2)
        {
            for (int first = 0; first + half < count; first += 2 * half)
            {
                int middle = first + half, readers = Math.Min(half, count - middle);
                nint corner = ((nint)middle * Chunk) + first, atFirst = (nint)first * _width, atMiddle = (nint)middle * _width;
                void* before = Element.At<V>(factors, atFirst), after = Element.At<V>(factors, atMiddle);
                Prepare<V>(factors, q, k, first, half, readers, dOfKeys is null ? null : _keys, 1);
                var writers = Right.InRows<V>(_writers, _width);
                void* scores = Element.At<V>(dScores, corner), ofKeys = dOfKeys is null ? null : Element.At<V>(dOfKeys, corner);

                _products.Full<V>(new Left(scores, Chunk), readers, half, writers, lanes, sums, _width, accumulate: false);
                DecayRows.FromStart(after, sums, Element.At<V>(dq, atMiddle), readers, _width, V.Constant(1), add: true);
                _products.Full<V>(new Left(scores, 1, Chunk), half, readers, Right.InRows<V>(_queries, _width), lanes, sums, _width, accumulate: false);
                if (ofKeys is not null)
                {
                    _products.Full<V>(new Left(ofKeys, 1, Chunk), half, readers, Right.InRows<V>(_keys, _width), lanes, sums, _width, accumulate: true);
                }

                DecayRows.ToEnd<V>(before, sums, Element.At<V>(dWritten, atFirst), half, _width, add: true);
                if (ofKeys is not null)
                {
                    _products.Full<V>(new Left(ofKeys, Chunk), readers, half, writers, lanes, sums, _width, accumulate: false);
                    DecayRows.FromStart(after, sums, Element.At<V>(dRead, atMiddle), readers, _width, V.Constant(1), add: true);
                }
            }
        }

        for (int first = 0; first < count; first += ElementPairs.Size)
        {
            ElementPairs.Gradients<V>(factors, q, k, _width, first, Math.Min(ElementPairs.Size, count - first), dScores, dOfKeys, dq, dRead, dWritten);
        }
    }

    // k of places [first, middle) as it is left just before middle; q, and k where wanted, of the places from middle on times what is left since.
    private void Prepare<V>(void* factors, void* q, void* k, int first, int half, int readers, void* keys, double sign)
        where V : struct, ICpuLane<V>
    {
        nint atFirst = (nint)first * _width, atMiddle = atFirst + ((nint)half * _width);
        DecayRows.ToEnd<V>(Element.At<V>(factors, atFirst), Element.At<V>(k, atFirst), _writers, half, _width);
        void* after = Element.At<V>(factors, atMiddle);
        DecayRows.FromStart(after, Element.At<V>(q, atMiddle), _queries, readers, _width, V.Constant(1));
        if (keys is not null)
        {
            DecayRows.FromStart(after, Element.At<V>(k, atMiddle), keys, readers, _width, V.Constant(sign));
        }
    }
}
