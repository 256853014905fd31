using NanoFold.Kernels.Calls.Time;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Cpu.Time.Selective;
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

    public readonly void Invoke<V>(long index, int worker)
        where V : struct, ICpuLane<V>
    {
        Problem.Walk.Item(index, out int row, out int channel, out int channels);
        var item = new SelectiveProblem.Item(row, channel, channels);
        int blocks = item.Blocks<V>(), time = Problem.Walk.Time;
        long tile = LaneTile<V>.Bytes(blocks, Chunk), numbers = (long)Problem.States * V.Width * V.Type.Size(), own = 3 * numbers + 2 * V.Width * V.Type.Size();
        var scratch = (byte*)Problem.Context.Scratch(worker, 3 * tile + (Chunk + 3) * numbers + blocks * own);
        LaneTile<V> x = new(scratch, Chunk), dy = new(scratch + tile, Chunk), dx = new(scratch + 2 * tile, Chunk);
        byte* history = scratch + 3 * tile, solved = history + (Chunk + 1) * numbers, roots = solved + numbers, lanes = roots + numbers;
        Problem.Roots<V>(roots);
        new Span<byte>(lanes, checked((int)(blocks * own))).Clear();
        for (int block = 0; block < blocks; block++)
        {
            Problem.Outs<V>(channel + block * V.Width, Math.Min(V.Width, channels - block * V.Width), lanes + block * own);
        }

        for (int first = (time - 1) / Chunk * Chunk; first >= 0; first -= Chunk)
        {
            int places = Math.Min(Chunk, time - first);
            LegendreProblem.Open(Problem.X, item, first, places, x);
            LegendreProblem.Open(DY, item, first, places, dy);
            for (int block = 0; block < blocks; block++)
            {
                var lane = new Lane<V>(lanes + block * own, numbers, history, solved, roots);
                int at = channel + block * V.Width, part = Math.Min(V.Width, channels - block * V.Width);
                V half = Problem.Half<V>(at, part);
                Again(lane, row, at, part, first, places, half, x.Block(block));
                Back(lane, row, first, places, half, LaneRow.Load<V>(Problem.Skip, at, part), x.Block(block), dy.Block(block), dx.Block(block));
            }

            if (!DX.IsNone)
            {
                LegendreProblem.Close(DX, item, first, places, dx, AccumulateX);
            }
        }

        for (int block = 0; block < blocks; block++)
        {
            Put(new Lane<V>(lanes + block * own, numbers, history, solved, roots), row, channel + block * V.Width, Math.Min(V.Width, channels - block * V.Width));
        }
    }

    /// <summary>The states before the chunk and after each of its places.</summary>
    private readonly void Again<V>(in Lane<V> lane, int row, int channel, int part, int first, int places, V half, byte* xs)
        where V : struct, ICpuLane<V>
    {
        byte* kept = Problem.KeptAt(Kept, row, first / Chunk, V.Type.Size()), before = lane.History;
        for (int n = 0; n < Problem.States; n++)
        {
            V.Store(before, n * V.Width, LaneRow.Load<V>(kept, (nint)n * Problem.Walk.Width + channel, part));
        }

        for (int t = 0; t < places; t++, before += lane.Numbers)
        {
            bool begins = Problem.Walk.Carries(row, first + t, Problem.Walk.Time) == 0;
            V x = V.Load(xs, t * V.Width), twice = x + x, sum = V.Constant(0);
            for (int n = 0; n < Problem.States; n++)
            {
                V state = begins ? V.Constant(0) : V.Load(before, n * V.Width);
                V.Store(before + lane.Numbers, n * V.Width, LegendreStep.Next(state, half, twice, V.Splat(lane.Roots, n), V.Constant(n + 1), ref sum));
            }
        }
    }

    private readonly void Back<V>(in Lane<V> lane, int row, int first, int places, V half, V skip, byte* xs, byte* dys, byte* dxs)
        where V : struct, ICpuLane<V>
    {
        byte* outs = lane.Outs, carried = lane.Carried, dOuts = lane.DOuts, solved = lane.Solved, roots = lane.Roots;
        V dHalf = V.Load(lane.Sums, 0), dSkip = V.Load(lane.Sums, V.Width);
        for (int t = places - 1; t >= 0; t--)
        {
            bool begins = Problem.Walk.Carries(row, first + t, Problem.Walk.Time) == 0;
            V x = V.Load(xs, t * V.Width), dy = V.Load(dys, t * V.Width);
            byte* before = lane.History + t * lane.Numbers, after = before + lane.Numbers;
            // Down: w, the sum of √(2n+1) w over the numbers after, what goes to the place before.
            V sum = V.Constant(0);
            for (int n = Problem.States - 1; n >= 0; n--)
            {
                V root = V.Splat(roots, n), order = V.Constant(n + 1), next = V.Load(after, n * V.Width);
                V.Store(dOuts, n * V.Width, V.MultiplyAdd(dy, next, V.Load(dOuts, n * V.Width)));
                V g = V.MultiplyAdd(dy, V.Load(outs, n * V.Width), V.Load(carried, n * V.Width)), through = half * root * sum;
                V w = (g - through) / V.MultiplyAdd(half, order, V.Constant(1));
                V.Store(solved, n * V.Width, w);
                V.Store(carried, n * V.Width, begins ? V.Constant(0) : w * (V.Constant(1) - half * order) - through);
                sum = V.MultiplyAdd(root, w, sum);
            }

            dSkip = V.MultiplyAdd(dy, x, dSkip);
            V.Store(dxs, t * V.Width, V.MultiplyAdd(half + half, sum, skip * dy));
            // Up: the sums that the step had, and what δ gets.
            V twice = x + x, passed = V.Constant(0);
            for (int n = 0; n < Problem.States; n++)
            {
                V root = V.Splat(roots, n), both = V.Load(after, n * V.Width) + (begins ? V.Constant(0) : V.Load(before, n * V.Width));
                dHalf = V.MultiplyAdd(V.Load(solved, n * V.Width), root * (twice - passed) - V.Constant(n + 1) * both, dHalf);
                passed = V.MultiplyAdd(root, both, passed);
            }
        }

        V.Store(lane.Sums, 0, dHalf);
        V.Store(lane.Sums, V.Width, dSkip);
    }

    private readonly void Put<V>(in Lane<V> lane, int row, int channel, int part)
        where V : struct, ICpuLane<V>
    {
        int states = Problem.States;
        byte* parts = Parts + (nint)row * (states + 2) * Problem.Walk.Width * V.Type.Size();
        for (int n = 0; n < states; n++)
        {
            LaneRow.Store(parts, (nint)n * Problem.Walk.Width + channel, part, V.Load(lane.DOuts, n * V.Width));
        }

        V slope = LaneFormulas.Sigmoid(LaneRow.Load<V>(Problem.Delta, channel, part));
        LaneRow.Store(parts, (nint)states * Problem.Walk.Width + channel, part, V.Constant(0.5) * V.Load(lane.Sums, 0) * slope);
        LaneRow.Store(parts, (nint)(states + 1) * Problem.Walk.Width + channel, part, V.Load(lane.Sums, V.Width));
    }

    /// <summary>Scratch of a lane of channels: out, what goes back and dOut, [N] lanes each, the sums of dδ and dSkip; what all lanes use in turn.</summary>
    private readonly struct Lane<V>(byte* own, long numbers, byte* history, byte* solved, byte* roots)
        where V : struct, ICpuLane<V>
    {
        /// <summary>Bytes of N lanes.</summary>
        public nint Numbers { get; } = (nint)numbers;

        public byte* Outs { get; } = own;

        public byte* Carried { get; } = own + numbers;

        public byte* DOuts { get; } = own + 2 * numbers;

        public byte* Sums { get; } = own + 3 * numbers;

        public byte* History { get; } = history;

        public byte* Solved { get; } = solved;

        /// <summary>√(2n + 1), [N] elements.</summary>
        public byte* Roots { get; } = roots;
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
