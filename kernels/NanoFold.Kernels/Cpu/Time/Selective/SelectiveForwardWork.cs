using System.Runtime.CompilerServices;
using NanoFold.Kernels.Calls.Time;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Time.Selective;

/// <summary>
/// s_t[n] = exp(Δ_t A[n]) s_{t−1}[n] + Δ_t x_t in_t[n], y_t = Σ_n out_t[n] s_t[n] + skip x_t. Lanes are channels. Of a chunk first Δ and Δ x of all channels, row
/// by row as they lie in memory; then block by block of channels four numbers of the state through the chunk, in registers.
/// </summary>
internal unsafe struct SelectiveForwardWork : ILaneWork
{
    private const int Chunk = SelectiveScanCall.Chunk, Together = SelectiveProblem.Together;

    public required SelectiveProblem Problem;
    public required Steps Y;
    public required byte* State;
    public required byte* Kept;

    public readonly void Invoke<V>(long index, int worker)
        where V : struct, ICpuLane<V>
    {
        SelectiveProblem.Item item = Problem.ItemOf(index);
        int blocks = item.Blocks<V>(), states = Problem.States, time = Problem.Walk.Time, count = Problem.Walk.Count(item.Row), size = V.Type.Size(), lane = V.Width * size;
        long tile = LaneTile<V>.Bytes(blocks, Chunk), all = (long)blocks * states * lane;
        var scratch = (byte*)Problem.Context.Scratch(worker, 3 * tile + 2 * all);
        LaneTile<V> delta = new(scratch, Chunk), input = new(scratch + tile, Chunk), y = new(scratch + 2 * tile, Chunk);
        byte* decays = scratch + 3 * tile, state = decays + all;
        Problem.Decays<V>(item, decays);
        Begin<V>(item, state);
        int* begins = stackalloc int[Chunk + 1];
        for (int first = 0; first < count; first += Chunk)
        {
            int places = Math.Min(Chunk, count - first);
            if (Problem.Walk.Carries(item.Row, first, time) == 0)
            {
                new Span<byte>(state, (int)all).Clear();
            }

            Keep<V>(item, first / Chunk, state);
            Open<V>(item, first, places, delta, input, y);
            _ = Problem.Begins(item.Row, first, places, begins);
            byte* into = Problem.In.At(item.Row, first, 0), from = Problem.Out.At(item.Row, first, 0);
            for (int block = 0; block < blocks; block++)
            {
                byte* a = decays + (nint)block * states * lane, s = state + (nint)block * states * lane;
                int n = 0;
                for (; n + Together <= states; n += Together)
                {
                    Fetch(item, first + Chunk, block * V.Width, n, states);
                    Four<V>(a + n * lane, s + n * lane, delta.Block(block), input.Block(block), y.Block(block), into + n * size, from + n * size, begins, places);
                }

                for (; n < states; n++)
                {
                    One<V>(a + n * lane, s + n * lane, delta.Block(block), input.Block(block), y.Block(block), into + n * size, from + n * size, begins, places);
                }
            }

            Close<V>(item, first, places, y);
        }

        for (int place = count; place < time; place++)
        {
            new Span<byte>(Y.At(item.Row, place, item.Channel), item.Channels * size).Clear();
        }

        End<V>(item, state);
    }

    /// <summary>Δ, Δ x and skip x of a chunk.</summary>
    private readonly void Open<V>(in SelectiveProblem.Item item, int first, int places, LaneTile<V> delta, LaneTile<V> input, LaneTile<V> y)
        where V : struct, ICpuLane<V>
    {
        int size = V.Type.Size();
        for (int t = 0; t < places; t++)
        {
            byte* x = Problem.X.At(item.Row, first + t, item.Channel), raw = Problem.Delta.At(item.Row, first + t, item.Channel), skip = Problem.Skip + (nint)item.Channel * size;
            for (int i = 0, block = 0; i < item.Channels; i += V.Width, block++)
            {
                int count = Math.Min(V.Width, item.Channels - i);
                V value = LaneRow.Load<V>(x, i, count), step = LaneFormulas.Softplus(LaneRow.Load<V>(raw, i, count));
                V.Store(delta.At(block, t), 0, step);
                V.Store(input.At(block, t), 0, step * value);
                V.Store(y.At(block, t), 0, LaneRow.Load<V>(skip, i, count) * value);
            }
        }
    }

    /// <summary>Some rows of the next chunk, while the numbers of this one are walked.</summary>
    private readonly void Fetch(in SelectiveProblem.Item item, int first, int channel, int number, int states)
    {
        int end = Math.Min(first + (number + Together) * Chunk / states, Problem.Walk.Time);
        for (int place = first + number * Chunk / states; place < end; place++)
        {
            Problem.X.Fetch(item.Row, place, item.Channel + channel);
            Problem.Delta.Fetch(item.Row, place, item.Channel + channel);
            Y.Fetch(item.Row, place, item.Channel + channel);
        }
    }

    private readonly void Close<V>(in SelectiveProblem.Item item, int first, int places, LaneTile<V> y)
        where V : struct, ICpuLane<V>
    {
        for (int t = 0; t < places; t++)
        {
            byte* target = Y.At(item.Row, first + t, item.Channel);
            for (int i = 0, block = 0; i < item.Channels; i += V.Width, block++)
            {
                LaneRow.Store(target, i, Math.Min(V.Width, item.Channels - i), V.Load(y.At(block, t), 0));
            }
        }
    }

    private readonly void Four<V>(byte* a, byte* s, byte* delta, byte* input, byte* y, byte* into, byte* from, int* begins, int places)
        where V : struct, ICpuLane<V>
    {
        V ofTwo = V.Constant(SelectiveProblem.OfTwo);
        V a0 = V.Load(a, 0) * ofTwo, a1 = V.Load(a, V.Width) * ofTwo, a2 = V.Load(a, 2 * V.Width) * ofTwo, a3 = V.Load(a, 3 * V.Width) * ofTwo;
        V s0 = V.Load(s, 0), s1 = V.Load(s, V.Width), s2 = V.Load(s, 2 * V.Width), s3 = V.Load(s, 3 * V.Width);
        nint inPlace = Problem.In.Place, outPlace = Problem.Out.Place;
        nint at = 0;
        for (int t = 0; ; begins++)
        {
            for (; t < *begins; t++, at += V.Width, into += inPlace, from += outPlace)
            {
                V step = V.Load(delta, at), u = V.Load(input, at), sum = V.Load(y, at);
                s0 = V.MultiplyAdd(V.DecayOfTwo(step * a0), s0, u * V.Splat(into, 0));
                s1 = V.MultiplyAdd(V.DecayOfTwo(step * a1), s1, u * V.Splat(into, 1));
                s2 = V.MultiplyAdd(V.DecayOfTwo(step * a2), s2, u * V.Splat(into, 2));
                s3 = V.MultiplyAdd(V.DecayOfTwo(step * a3), s3, u * V.Splat(into, 3));
                sum = V.MultiplyAdd(s0, V.Splat(from, 0), sum);
                sum = V.MultiplyAdd(s1, V.Splat(from, 1), sum);
                sum = V.MultiplyAdd(s2, V.Splat(from, 2), sum);
                sum = V.MultiplyAdd(s3, V.Splat(from, 3), sum);
                V.Store(y, at, sum);
            }

            if (t == places)
            {
                break;
            }

            s0 = s1 = s2 = s3 = V.Constant(0);
        }

        V.Store(s, 0, s0);
        V.Store(s, V.Width, s1);
        V.Store(s, 2 * V.Width, s2);
        V.Store(s, 3 * V.Width, s3);
    }

    private readonly void One<V>(byte* a, byte* s, byte* delta, byte* input, byte* y, byte* into, byte* from, int* begins, int places)
        where V : struct, ICpuLane<V>
    {
        V decay = V.Load(a, 0) * V.Constant(SelectiveProblem.OfTwo), state = V.Load(s, 0);
        nint at = 0;
        for (int t = 0; ; begins++)
        {
            for (; t < *begins; t++, at += V.Width, into += Problem.In.Place, from += Problem.Out.Place)
            {
                state = V.MultiplyAdd(V.DecayOfTwo(V.Load(delta, at) * decay), state, V.Load(input, at) * V.Splat(into, 0));
                V.Store(y, at, V.MultiplyAdd(state, V.Splat(from, 0), V.Load(y, at)));
            }

            if (t == places)
            {
                break;
            }

            state = V.Constant(0);
        }

        V.Store(s, 0, state);
    }

    // The state lies [N, C] in memory, [blocks][N] here.
    private readonly void Begin<V>(in SelectiveProblem.Item item, byte* state)
        where V : struct, ICpuLane<V>
        => StateRows.Read<V>(State is null ? null : Problem.Walk.State(State, item.Row * Problem.States, item.Channel), item, Problem, state);

    private readonly void End<V>(in SelectiveProblem.Item item, byte* state)
        where V : struct, ICpuLane<V>
    {
        if (State is not null)
        {
            StateRows.Write<V>(Problem.Walk.State(State, item.Row * Problem.States, item.Channel), item, Problem, state);
        }
    }

    private readonly void Keep<V>(in SelectiveProblem.Item item, int chunk, byte* state)
        where V : struct, ICpuLane<V>
    {
        if (Kept is not null)
        {
            StateRows.Write<V>(Problem.KeptAt(Kept, item, chunk, V.Type.Size()), item, Problem, state);
        }
    }
}

/// <summary>States between their rows [N, C] in memory and the lanes [blocks][N] of an item.</summary>
internal static unsafe class StateRows
{
    /// <param name="source">From the item's first channel on, or null for zeros.</param>
    /// <param name="item">Its channels.</param>
    /// <param name="problem">Of it.</param>
    /// <param name="state">Where they go.</param>
    public static void Read<V>(byte* source, in SelectiveProblem.Item item, in SelectiveProblem problem, byte* state)
        where V : struct, ICpuLane<V>
    {
        nint row = (nint)problem.Walk.Width * V.Type.Size();
        for (int i = 0; i < item.Channels; i += V.Width)
        {
            int count = Math.Min(V.Width, item.Channels - i);
            for (int n = 0; n < problem.States; n++, state += V.Width * V.Type.Size())
            {
                V.Store(state, 0, source is null ? V.Constant(0) : LaneRow.Load<V>(source + n * row, i, count));
            }
        }
    }

    public static void Write<V>(byte* target, in SelectiveProblem.Item item, in SelectiveProblem problem, byte* state)
        where V : struct, ICpuLane<V>
    {
        nint row = (nint)problem.Walk.Width * V.Type.Size();
        for (int i = 0; i < item.Channels; i += V.Width)
        {
            int count = Math.Min(V.Width, item.Channels - i);
            for (int n = 0; n < problem.States; n++, state += V.Width * V.Type.Size())
            {
                LaneRow.Store(target + n * row, i, count, V.Load(state, 0));
            }
        }
    }
}
