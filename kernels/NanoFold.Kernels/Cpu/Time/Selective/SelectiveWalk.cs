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
        if (Numbers == Together)
        {
            ForwardFour(decays, kept, delta, x);
            return;
        }

        V ofTwo = V.Constant(SelectiveProblem.OfTwo);
        for (int i = 0; i < Numbers; i++)
        {
            V decay = V.Load(decays, i * V.Width) * ofTwo, state = V.Load(kept, i * V.Width);
            int* begins = _begins;
            for (int t = 0; t < Places; t++)
            {
                if (t == *begins)
                {
                    begins++;
                    state = V.Constant(0);
                }

                V step = V.Load(delta, (nint)t * V.Width), input = step * V.Load(x, (nint)t * V.Width);
                state = Step(step, input, decay, state, i, t);
            }
        }
    }

    /// <summary>Back through the chunk: what flows to Δ, x, in, out and A; <paramref name="carried"/> comes from the chunk after and goes to the one before.</summary>
    public void Backward(byte* decays, byte* carried, byte* dDecays, in SelectiveBackwardWork.Tiles<V> tiles, int block)
    {
        byte* delta = tiles.Delta.Block(block), x = tiles.X.Block(block), dy = tiles.DY.Block(block), into = tiles.Into.Block(block), through = tiles.Through.Block(block);
        if (Numbers == Together)
        {
            BackwardFour(decays, carried, dDecays, delta, x, dy, into, through);
            return;
        }

        for (int i = 0; i < Numbers; i++)
        {
            V decay = V.Load(decays, i * V.Width), g = V.Load(carried, i * V.Width), dDecay = V.Load(dDecays, i * V.Width);
            int next = _found;
            for (int t = Places - 1; t >= 0; t--)
            {
                nint at = (nint)t * V.Width;
                V step = V.Load(delta, at), gradient = V.Load(dy, at), input = step * V.Load(x, at), sumInto = V.Load(into, at), sumThrough = V.Load(through, at);
                g = Back(step, input, gradient, decay, g, i, t, ref dDecay, ref sumInto, ref sumThrough);
                V.Store(into, at, sumInto);
                V.Store(through, at, sumThrough);
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

    private void ForwardFour(byte* decays, byte* kept, byte* delta, byte* x)
    {
        V ofTwo = V.Constant(SelectiveProblem.OfTwo);
        V a0 = V.Load(decays, 0) * ofTwo, a1 = V.Load(decays, V.Width) * ofTwo, a2 = V.Load(decays, 2 * V.Width) * ofTwo, a3 = V.Load(decays, 3 * V.Width) * ofTwo;
        V s0 = V.Load(kept, 0), s1 = V.Load(kept, V.Width), s2 = V.Load(kept, 2 * V.Width), s3 = V.Load(kept, 3 * V.Width);
        int* begins = _begins;
        for (int t = 0; t < Places; t++)
        {
            if (t == *begins)
            {
                begins++;
                s0 = s1 = s2 = s3 = V.Constant(0);
            }

            V step = V.Load(delta, (nint)t * V.Width), input = step * V.Load(x, (nint)t * V.Width);
            s0 = Step(step, input, a0, s0, 0, t);
            s1 = Step(step, input, a1, s1, 1, t);
            s2 = Step(step, input, a2, s2, 2, t);
            s3 = Step(step, input, a3, s3, 3, t);
        }
    }

    private void BackwardFour(byte* decays, byte* carried, byte* dDecays, byte* delta, byte* x, byte* dy, byte* into, byte* through)
    {
        V a0 = V.Load(decays, 0), a1 = V.Load(decays, V.Width), a2 = V.Load(decays, 2 * V.Width), a3 = V.Load(decays, 3 * V.Width);
        V g0 = V.Load(carried, 0), g1 = V.Load(carried, V.Width), g2 = V.Load(carried, 2 * V.Width), g3 = V.Load(carried, 3 * V.Width);
        V d0 = V.Load(dDecays, 0), d1 = V.Load(dDecays, V.Width), d2 = V.Load(dDecays, 2 * V.Width), d3 = V.Load(dDecays, 3 * V.Width);
        int next = _found;
        for (int t = Places - 1; t >= 0; t--)
        {
            nint at = (nint)t * V.Width;
            V step = V.Load(delta, at), gradient = V.Load(dy, at), input = step * V.Load(x, at), sumInto = V.Load(into, at), sumThrough = V.Load(through, at);
            g0 = Back(step, input, gradient, a0, g0, 0, t, ref d0, ref sumInto, ref sumThrough);
            g1 = Back(step, input, gradient, a1, g1, 1, t, ref d1, ref sumInto, ref sumThrough);
            g2 = Back(step, input, gradient, a2, g2, 2, t, ref d2, ref sumInto, ref sumThrough);
            g3 = Back(step, input, gradient, a3, g3, 3, t, ref d3, ref sumInto, ref sumThrough);
            V.Store(into, at, sumInto);
            V.Store(through, at, sumThrough);
            if (next > 0 && t == _begins[next - 1])
            {
                next--;
                g0 = g1 = g2 = g3 = V.Constant(0);
            }
        }

        Four(carried, g0, g1, g2, g3);
        Four(dDecays, d0, d1, d2, d3);
    }

    /// <summary>A number of the state from before a place to after it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private V Step(V step, V input, V decayOfTwo, V state, int i, int t)
    {
        nint lanes = ((nint)t * Together + i) * V.Width;
        V power = V.DecayOfTwo(step * decayOfTwo);
        V.Store(_states, lanes, state);
        V.Store(_powers, lanes, power);
        return V.MultiplyAdd(power, state, input * V.Splat(Into + t * IntoPlace, i));
    }

    /// <summary>One place back: the gradient of a number of the state, from after a place to before it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private V Back(V step, V input, V gradient, V decay, V g, int i, int t, ref V dDecay, ref V sumInto, ref V sumThrough)
    {
        nint lanes = ((nint)t * Together + i) * V.Width;
        V power = V.Load(_powers, lanes), before = V.Load(_states, lanes), entry = V.Splat(Into + t * IntoPlace, i);
        V after = V.MultiplyAdd(power, before, input * entry);
        V.Store(_from, lanes, V.MultiplyAdd(gradient, after, V.Load(_from, lanes)));
        g = V.MultiplyAdd(gradient, V.Splat(From + t * FromPlace, i), g);
        V.Store(_into, lanes, V.MultiplyAdd(g, input, V.Load(_into, lanes)));
        sumInto = V.MultiplyAdd(g, entry, sumInto);
        g *= power;
        V q = g * before;
        dDecay = V.MultiplyAdd(q, step, dDecay);
        sumThrough = V.MultiplyAdd(q, decay, sumThrough);
        return g;
    }

    private static void Four(byte* target, V first, V second, V third, V fourth)
    {
        V.Store(target, 0, first);
        V.Store(target, V.Width, second);
        V.Store(target, 2 * V.Width, third);
        V.Store(target, 3 * V.Width, fourth);
    }
}
