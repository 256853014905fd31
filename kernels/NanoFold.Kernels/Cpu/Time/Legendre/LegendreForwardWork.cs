using NanoFold.Kernels.Calls.Time;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Cpu.Time.Selective;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Time.Legendre;

/// <summary>What both directions of a Legendre scan read; an item is some channels of a row. Chunks are copied lane by lane first: rows lie apart.</summary>
internal unsafe struct LegendreProblem
{
    public required CpuContext Context;
    public required Walk Walk;
    public required Steps X;
    public required byte* Delta;
    public required byte* Out;
    public required byte* Skip;

    /// <summary>N.</summary>
    public required int States;

    /// <summary>out of a lane of channels, [N] lanes.</summary>
    public readonly void Outs<V>(int channel, int count, byte* outs)
        where V : struct, ICpuLane<V>
    {
        int size = V.Type.Size();
        for (int n = 0; n < States; n++)
        {
            byte* lane = outs + (nint)n * V.Width * size;
            V.Store(lane, 0, V.Constant(0));
            Element.CopyStrided<V>(Out + (((nint)channel * States) + n) * size, States, lane, count);
        }
    }

    /// <summary>√(2n + 1), [N] elements.</summary>
    public readonly void Roots<V>(byte* roots)
        where V : struct, ICpuLane<V>
    {
        for (int n = 0; n < States; n++)
        {
            Element.Set<V>(roots, n, Math.Sqrt((2 * n) + 1));
        }
    }

    /// <summary>Half of Δ.</summary>
    public readonly V Half<V>(int channel, int count)
        where V : struct, ICpuLane<V>
        => V.Constant(0.5) * LaneFormulas.Softplus(LaneRow.Load<V>(Delta, channel, count));

    /// <summary>Kept states of a row before a chunk, [N, C].</summary>
    public readonly byte* KeptAt(byte* kept, int row, int chunk, int size)
        => kept + (((nint)row * SelectiveScanCall.Chunks(Walk.Time)) + chunk) * States * Walk.Width * size;

    /// <summary>Places of a tensor into a tile.</summary>
    public static void Open<V>(in Steps tensor, in SelectiveProblem.Item item, int first, int places, LaneTile<V> tile)
        where V : struct, ICpuLane<V>
    {
        for (int t = 0; t < places; t++)
        {
            byte* row = tensor.At(item.Row, first + t, item.Channel);
            for (int i = 0, block = 0; i < item.Channels; i += V.Width, block++)
            {
                V.Store(tile.At(block, t), 0, LaneRow.Load<V>(row, i, Math.Min(V.Width, item.Channels - i)));
            }
        }
    }

    /// <summary>A tile to places of a tensor.</summary>
    public static void Close<V>(in Steps tensor, in SelectiveProblem.Item item, int first, int places, LaneTile<V> tile, bool accumulate)
        where V : struct, ICpuLane<V>
    {
        for (int t = 0; t < places; t++)
        {
            byte* row = tensor.At(item.Row, first + t, item.Channel);
            for (int i = 0, block = 0; i < item.Channels; i += V.Width, block++)
            {
                int count = Math.Min(V.Width, item.Channels - i);
                V value = V.Load(tile.At(block, t), 0);
                LaneRow.Store(row, i, count, accumulate ? LaneRow.Load<V>(row, i, count) + value : value);
            }
        }
    }
}

/// <summary>The bilinear step of each place, n after n.</summary>
internal unsafe struct LegendreForwardWork : ILaneWork
{
    private const int Chunk = SelectiveScanCall.Chunk;

    public required LegendreProblem Problem;
    public required Steps Y;
    public required byte* State;
    public required byte* Kept;

    public readonly void Invoke<V>(long index, int worker)
        where V : struct, ICpuLane<V>
    {
        Problem.Walk.Item(index, out int row, out int channel, out int channels);
        var item = new SelectiveProblem.Item(row, channel, channels);
        int blocks = item.Blocks<V>(), count = Problem.Walk.Count(row), time = Problem.Walk.Time, size = V.Type.Size();
        long tile = LaneTile<V>.Bytes(blocks, Chunk), numbers = (long)Problem.States * V.Width * size;
        var scratch = (byte*)Problem.Context.Scratch(worker, 2 * tile + (2 * blocks + 1) * numbers);
        LaneTile<V> x = new(scratch, Chunk), y = new(scratch + tile, Chunk);
        byte* states = scratch + 2 * tile, outs = states + blocks * numbers, roots = outs + blocks * numbers;
        Problem.Roots<V>(roots);
        for (int block = 0; block < blocks; block++)
        {
            int at = channel + block * V.Width, part = Math.Min(V.Width, channel + channels - at);
            Problem.Outs<V>(at, part, outs + block * numbers);
            byte* state = State is null ? null : Problem.Walk.State(State, row * Problem.States);
            for (int n = 0; n < Problem.States; n++)
            {
                V.Store(states + block * numbers, n * V.Width, state is null ? V.Constant(0) : LaneRow.Load<V>(state, (nint)n * Problem.Walk.Width + at, part));
            }
        }

        for (int first = 0; first < count; first += Chunk)
        {
            int places = Math.Min(Chunk, count - first);
            LegendreProblem.Open(Problem.X, item, first, places, x);
            for (int block = 0; block < blocks; block++)
            {
                Lane<V>(item, block, first, places, x.Block(block), y.Block(block), states + block * numbers, outs + block * numbers, roots);
            }

            LegendreProblem.Close(Y, item, first, places, y, accumulate: false);
        }

        for (int place = count; place < time; place++)
        {
            new Span<byte>(Y.At(row, place, channel), channels * size).Clear();
        }

        for (int block = 0; State is not null && block < blocks; block++)
        {
            int at = channel + block * V.Width;
            Put<V>(Problem.Walk.State(State, row * Problem.States), at, Math.Min(V.Width, channel + channels - at), states + block * numbers);
        }
    }

    private readonly void Lane<V>(in SelectiveProblem.Item item, int block, int first, int places, byte* xs, byte* ys, byte* states, byte* outs, byte* roots)
        where V : struct, ICpuLane<V>
    {
        int numbers = Problem.States, channel = item.Channel + block * V.Width, part = Math.Min(V.Width, item.Channel + item.Channels - channel);
        V half = Problem.Half<V>(channel, part), skip = LaneRow.Load<V>(Problem.Skip, channel, part);
        for (int t = 0; t < places; t++)
        {
            if (Problem.Walk.Carries(item.Row, first + t, Problem.Walk.Time) == 0)
            {
                new Span<byte>(states, numbers * V.Width * V.Type.Size()).Clear();
            }

            if (Kept is not null && t == 0)
            {
                Put<V>(Problem.KeptAt(Kept, item.Row, first / Chunk, V.Type.Size()), channel, part, states);
            }

            V x = V.Load(xs, t * V.Width), twice = x + x, sum = V.Constant(0), y = skip * x;
            for (int n = 0; n < numbers; n++)
            {
                V next = LegendreStep.Next(V.Load(states, n * V.Width), half, twice, V.Splat(roots, n), V.Constant(n + 1), ref sum);
                V.Store(states, n * V.Width, next);
                y = V.MultiplyAdd(V.Load(outs, n * V.Width), next, y);
            }

            V.Store(ys, t * V.Width, y);
        }
    }

    private readonly void Put<V>(byte* target, int channel, int part, byte* states)
        where V : struct, ICpuLane<V>
    {
        for (int n = 0; n < Problem.States; n++)
        {
            LaneRow.Store(target, (nint)n * Problem.Walk.Width + channel, part, V.Load(states, n * V.Width));
        }
    }
}
