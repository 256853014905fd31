using System.Runtime.CompilerServices;
using NanoFold.Kernels.Calls.Time;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Time.Selective;

/// <summary>
/// Up to four numbers of the state of a block of channels through one chunk and back. Scratch: the states before each place and after the last, the exponentials,
/// and for each place and number the sums over the blocks so far of g Δ x and of dy s, lane by lane: [places][4] lanes each.
/// </summary>
internal readonly unsafe struct SelectiveWalk<V>
    where V : struct, ICpuLane<V>
{
    private const int Together = SelectiveProblem.Together;

    private readonly byte* _states;
    private readonly byte* _powers;
    private readonly byte* _into;
    private readonly byte* _from;
    private readonly int* _begins;
    private readonly int _found;

    public SelectiveWalk(byte* scratch, int numbers, int* begins, int found, int places)
    {
        nint part = (nint)(SelectiveScanCall.Chunk + 1) * Together * Lane;
        _states = scratch;
        _powers = _states + part;
        _into = _powers + part;
        _from = _into + part;
        _begins = begins;
        (Numbers, _found, Places) = (numbers, found, places);
    }

    private static int Lane => V.Width * V.Type.Size();

    /// <summary>Of the state: four, or the rest.</summary>
    public int Numbers { get; }

    public int Places { get; }

    /// <summary>in and out at the first place, from the first number on.</summary>
    public byte* Into { get; init; }

    public byte* From { get; init; }

    public nint IntoPlace { get; init; }

    public nint FromPlace { get; init; }

    public void Clear() => new Span<byte>(_into, 2 * (SelectiveScanCall.Chunk + 1) * Together * Lane).Clear();

    /// <summary>Σ over the channels of g Δ x of a place and number.</summary>
    public double IntoSum(int place, int number) => V.Sum(V.Load(_into, ((nint)place * Together + number) * V.Width));

    /// <summary>Σ over the channels of dy s.</summary>
    public double FromSum(int place, int number) => V.Sum(V.Load(_from, ((nint)place * Together + number) * V.Width));

    /// <summary>States and exponentials of the chunk, from the kept states.</summary>
    public void Forward(byte* decays, byte* kept, byte* delta, byte* x)
    {
        for (int i = 0; i < Numbers; i++)
        {
            V decay = V.Load(decays, i * V.Width), state = V.Load(kept, i * V.Width);
            nint at = 0, lanes = i * V.Width;
            byte* into = Into;
            int* begins = _begins;
            for (int t = 0; t < Places; t++, at += V.Width, lanes += Together * V.Width, into += IntoPlace)
            {
                if (t == *begins)
                {
                    begins++;
                    state = V.Constant(0);
                }

                V step = V.Load(delta, at), power = V.Exp(step * decay);
                V.Store(_states, lanes, state);
                V.Store(_powers, lanes, power);
                state = V.MultiplyAdd(power, state, step * V.Load(x, at) * V.Splat(into, i));
            }

            V.Store(_states, lanes, state);
        }
    }

    /// <summary>Back through the chunk: what flows to Δ, x, in, out and A; <paramref name="carried"/> comes from the chunk after and goes to the one before.</summary>
    public void Backward(byte* decays, byte* carried, byte* dDecays, in SelectiveBackwardWork.Tiles<V> tiles, int block)
    {
        byte* delta = tiles.Delta.Block(block), x = tiles.X.Block(block), dy = tiles.DY.Block(block), into = tiles.Into.Block(block), through = tiles.Through.Block(block);
        for (int i = 0; i < Numbers; i++)
        {
            V decay = V.Load(decays, i * V.Width), g = V.Load(carried, i * V.Width), dDecay = V.Load(dDecays, i * V.Width);
            int next = _found;
            for (int t = Places - 1; t >= 0; t--)
            {
                nint at = (nint)t * V.Width, lanes = ((nint)t * Together + i) * V.Width;
                V step = V.Load(delta, at), gradient = V.Load(dy, at), power = V.Load(_powers, lanes), before = V.Load(_states, lanes);
                V input = step * V.Load(x, at), after = V.MultiplyAdd(power, before, input * V.Splat(Into + t * IntoPlace, i));
                V.Store(_from, lanes, V.MultiplyAdd(gradient, after, V.Load(_from, lanes)));
                g = V.MultiplyAdd(gradient, V.Splat(From + t * FromPlace, i), g);
                V.Store(_into, lanes, V.MultiplyAdd(g, input, V.Load(_into, lanes)));
                V.Store(into, at, V.MultiplyAdd(g, V.Splat(Into + t * IntoPlace, i), V.Load(into, at)));
                g *= power;
                V q = g * before;
                dDecay = V.MultiplyAdd(q, step, dDecay);
                V.Store(through, at, V.MultiplyAdd(q, decay, V.Load(through, at)));
                if (next > 0 && t == _begins[next - 1])
                {
                    next--;
                    g = V.Constant(0);
                }
            }

            V.Store(carried, i * V.Width, g);
            V.Store(dDecays, i * V.Width, dDecay);
        }
    }
}
