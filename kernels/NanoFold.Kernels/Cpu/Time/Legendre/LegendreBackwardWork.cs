using NanoFold.Kernels.Calls.Time;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Time.Legendre;

/// <summary>The gradients of a Legendre scan, the last chunk first, whose states are made again from the kept ones. Sums over rows are left in scratch, a row's part each.</summary>
internal unsafe struct LegendreBackwardWork : ILaneWork
{
    private const int Chunk = SelectiveScanCall.Chunk;

    public required LegendreProblem Problem;
    public required byte* Kept;
    public required Steps DY;
    public required Steps DX;
    public required bool AccumulateX;

    /// <summary>Of each row dOut [N][C], dDelta [C], dSkip [C].</summary>
    public required byte* Parts;

    public readonly void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        Problem.Walk.Item(item, out int row, out int first, out int channels);
        nint numbers = (nint)Problem.States * V.Width * V.Type.Size();
        var scratch = (byte*)Problem.Context.Scratch(worker, (Chunk + 6) * numbers);
        for (int channel = first; channel < first + channels; channel += V.Width)
        {
            Lane<V>(row, channel, Math.Min(V.Width, first + channels - channel), scratch, numbers);
        }
    }

    private readonly void Lane<V>(int row, int channel, int part, byte* history, nint numbers)
        where V : struct, ICpuLane<V>
    {
        int states = Problem.States, time = Problem.Walk.Time, size = V.Type.Size();
        byte* outs = history + (Chunk + 1) * numbers, carried = outs + numbers, dOuts = carried + numbers, solved = dOuts + numbers, roots = solved + numbers;
        Problem.Roots<V>(roots);
        Problem.Outs<V>(channel, part, outs);
        new Span<byte>(carried, (int)(2 * numbers)).Clear();
        V half = Problem.Half<V>(channel, part), skip = LaneRow.Load<V>(Problem.Skip, channel, part), dHalf = V.Constant(0), dSkip = dHalf;
        for (int first = (time - 1) / Chunk * Chunk; first >= 0; first -= Chunk)
        {
            int places = Math.Min(Chunk, time - first);
            Again<V>(row, channel, part, first, places, half, history, numbers, roots);
            for (int t = places - 1; t >= 0; t--)
            {
                bool begins = Problem.Walk.Carries(row, first + t, time) == 0;
                if (first > 0)
                {
                    Problem.X.Fetch(row, first - Chunk + t, channel);
                    DY.Fetch(row, first - Chunk + t, channel);
                    DX.Fetch(row, first - Chunk + t, channel);
                }

                V x = LaneRow.Load<V>(Problem.X.At(row, first + t, channel), 0, part), dy = LaneRow.Load<V>(DY.At(row, first + t, channel), 0, part);
                byte* before = history + t * numbers, after = before + numbers;
                // Down: w, the sum of √(2n+1) w over the numbers after, what goes to the place before.
                V sum = V.Constant(0);
                for (int n = states - 1; n >= 0; n--)
                {
                    V root = V.Splat(roots, n), next = V.Load(after, n * V.Width);
                    V.Store(dOuts, n * V.Width, V.MultiplyAdd(dy, next, V.Load(dOuts, n * V.Width)));
                    V g = V.MultiplyAdd(dy, V.Load(outs, n * V.Width), V.Load(carried, n * V.Width)), through = half * root * sum;
                    V w = (g - through) / V.MultiplyAdd(half, V.Constant(n + 1), V.Constant(1));
                    V.Store(solved, n * V.Width, w);
                    V.Store(carried, n * V.Width, begins ? V.Constant(0) : w * (V.Constant(1) - half * V.Constant(n + 1)) - through);
                    sum = V.MultiplyAdd(root, w, sum);
                }

                dSkip = V.MultiplyAdd(dy, x, dSkip);
                byte* dx = DX.AtOrNull(row, first + t, channel);
                if (dx is not null)
                {
                    V value = V.MultiplyAdd(half + half, sum, skip * dy);
                    LaneRow.Store(dx, 0, part, AccumulateX ? LaneRow.Load<V>(dx, 0, part) + value : value);
                }

                // Up: the sums that the step had, and what δ gets.
                V twice = x + x, passed = V.Constant(0);
                for (int n = 0; n < states; n++)
                {
                    V root = V.Splat(roots, n), both = V.Load(after, n * V.Width) + (begins ? V.Constant(0) : V.Load(before, n * V.Width));
                    dHalf = V.MultiplyAdd(V.Load(solved, n * V.Width), root * (twice - passed) - V.Constant(n + 1) * both, dHalf);
                    passed = V.MultiplyAdd(root, both, passed);
                }
            }
        }

        byte* parts = Parts + (nint)row * (states + 2) * Problem.Walk.Width * size;
        for (int n = 0; n < states; n++)
        {
            LaneRow.Store(parts, (nint)n * Problem.Walk.Width + channel, part, V.Load(dOuts, n * V.Width));
        }

        V slope = LaneFormulas.Sigmoid(LaneRow.Load<V>(Problem.Delta, channel, part));
        LaneRow.Store(parts, (nint)states * Problem.Walk.Width + channel, part, V.Constant(0.5) * dHalf * slope);
        LaneRow.Store(parts, (nint)(states + 1) * Problem.Walk.Width + channel, part, dSkip);
    }

    /// <summary>The states before the chunk and after each of its places.</summary>
    private readonly void Again<V>(int row, int channel, int part, int first, int places, V half, byte* history, nint numbers, byte* roots)
        where V : struct, ICpuLane<V>
    {
        byte* kept = Problem.KeptAt(Kept, row, first / Chunk, V.Type.Size());
        for (int n = 0; n < Problem.States; n++)
        {
            V.Store(history, n * V.Width, LaneRow.Load<V>(kept, (nint)n * Problem.Walk.Width + channel, part));
        }

        for (int t = 0; t < places; t++, history += numbers)
        {
            bool begins = Problem.Walk.Carries(row, first + t, Problem.Walk.Time) == 0;
            V x = LaneRow.Load<V>(Problem.X.At(row, first + t, channel), 0, part), twice = x + x, sum = V.Constant(0);
            for (int n = 0; n < Problem.States; n++)
            {
                V before = begins ? V.Constant(0) : V.Load(history, n * V.Width);
                V.Store(history + numbers, n * V.Width, LegendreStep.Next(before, half, twice, V.Splat(roots, n), V.Constant(n + 1), ref sum));
            }
        }
    }
}

/// <summary>Adds the rows' parts to the gradients, in their order.</summary>
internal unsafe struct LegendreSumWork : ILaneWork
{
    public required byte* Parts;
    public required int Rows;
    public required int Width;
    public required int States;
    public required byte* DOut;
    public required byte* DDelta;
    public required byte* DSkip;

    public readonly void Invoke<V>(long channel, int worker)
        where V : struct, ICpuLane<V>
    {
        for (int n = 0; n < States + 2; n++)
        {
            byte* target = n < States ? DOut : n == States ? DDelta : DSkip;
            if (target is not null)
            {
                double sum = 0;
                for (int row = 0; row < Rows; row++)
                {
                    sum += Element.Get<V>(Parts, (((long)row * (States + 2)) + n) * Width + channel);
                }

                long at = n < States ? channel * States + n : channel;
                Element.Set<V>(target, at, Element.Get<V>(target, at) + sum);
            }
        }
    }
}
