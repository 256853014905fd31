using NanoFold.Kernels.Calls.Time;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Time.Legendre;

/// <summary>What both directions of a Legendre scan read; an item is some channels of a row, walked a lane of channels after the other.</summary>
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
}

/// <summary>The bilinear step of each place, n after n.</summary>
internal unsafe struct LegendreForwardWork : ILaneWork
{
    /// <summary>Places from the one that is walked to the one that is fetched.</summary>
    private const int Ahead = 16;

    public required LegendreProblem Problem;
    public required Steps Y;
    public required byte* State;
    public required byte* Kept;

    public readonly void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        Problem.Walk.Item(item, out int row, out int first, out int channels);
        var scratch = (byte*)Problem.Context.Scratch(worker, 3L * Problem.States * V.Width * V.Type.Size());
        for (int channel = first; channel < first + channels; channel += V.Width)
        {
            Lane<V>(row, channel, Math.Min(V.Width, first + channels - channel), scratch);
        }
    }

    private readonly void Lane<V>(int row, int channel, int part, byte* states)
        where V : struct, ICpuLane<V>
    {
        int numbers = Problem.States, time = Problem.Walk.Time, count = Problem.Walk.Count(row), size = V.Type.Size();
        byte* outs = states + (nint)numbers * V.Width * size, roots = outs + (nint)numbers * V.Width * size;
        Problem.Roots<V>(roots);
        byte* state = State is null ? null : Problem.Walk.State(State, row * numbers);
        Problem.Outs<V>(channel, part, outs);
        V half = Problem.Half<V>(channel, part), skip = LaneRow.Load<V>(Problem.Skip, channel, part);
        for (int n = 0; n < numbers; n++)
        {
            V.Store(states, n * V.Width, state is null ? V.Constant(0) : LaneRow.Load<V>(state, (nint)n * Problem.Walk.Width + channel, part));
        }

        for (int t = 0; t < count; t++)
        {
            if (t + Ahead < count)
            {
                Problem.X.Fetch(row, t + Ahead, channel);
                Y.Fetch(row, t + Ahead, channel);
            }

            if (Problem.Walk.Carries(row, t, time) == 0)
            {
                new Span<byte>(states, numbers * V.Width * size).Clear();
            }

            if (Kept is not null && t % SelectiveScanCall.Chunk == 0)
            {
                Put<V>(Problem.KeptAt(Kept, row, t / SelectiveScanCall.Chunk, size), channel, part, states);
            }

            V x = LaneRow.Load<V>(Problem.X.At(row, t, channel), 0, part), twice = x + x, sum = V.Constant(0), y = skip * x;
            for (int n = 0; n < numbers; n++)
            {
                V next = LegendreStep.Next(V.Load(states, n * V.Width), half, twice, V.Splat(roots, n), V.Constant(n + 1), ref sum);
                V.Store(states, n * V.Width, next);
                y = V.MultiplyAdd(V.Load(outs, n * V.Width), next, y);
            }

            LaneRow.Store(Y.At(row, t, channel), 0, part, y);
        }

        for (int t = count; t < time; t++)
        {
            LaneRow.Store(Y.At(row, t, channel), 0, part, V.Constant(0));
        }

        if (state is not null)
        {
            Put<V>(state, channel, part, states);
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
