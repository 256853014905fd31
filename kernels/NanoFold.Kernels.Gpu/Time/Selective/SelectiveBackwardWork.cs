using ILGPU;
using NanoFold.Kernels.Calls.Time;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Gpu.Time.Selective;

/// <summary>
/// The gradients of a selective scan, the last chunk first. From a kept state on each thread remembers its state before every tile of the chunk; a tile's states are
/// made again and walked back. Sums over the group's channels go to scratch, those over its numbers to dx and dΔ.
/// </summary>
internal struct SelectiveBackwardWork<T> : IGpuWork<SelectiveBackwardWork<T>>
    where T : unmanaged, IElement<T>
{
    // Together: places whose parts are added up at once; of four the group would have more than 32 KiB in shared memory.
    private const int Places = SelectiveTile<T>.Places, Side = SelectiveTile<T>.Side, Together = 2, Tiles = SelectiveScanCall.Chunk / Places;

    public SelectiveTile<T> Tile;
    public SequenceView<T> DY, DX, DDelta;
    public ArrayView<float> Kept;

    /// <summary>Σ over a group's channels of g Δ x and of dy s, [B, groups, T, N] each.</summary>
    public ArrayView<float> IntoParts, FromParts;

    /// <summary>Of each row dLogDecay [C, N], and dSkip [C].</summary>
    public ArrayView<float> DecayParts, SkipParts;

    public int Chunks, AccumulateX, AccumulateDelta;

    public static void Run(SelectiveBackwardWork<T> w)
    {
        ArrayView<float> shared = SharedMemory.Allocate<float>(5 * Places * Side);
        ArrayView<float> states = SharedMemory.Allocate<float>(Places * Side * Side), parts = SharedMemory.Allocate<float>(4 * Together * Side * Side);
        int channels = w.Tile.Channels, thread = Group.IdxX, row = Grid.IdxY, channel = Grid.IdxX * channels + thread % channels, time = w.Tile.Seams.Time;
        float dSkip = 0;
        for (int block = 0; block < w.Tile.States; block += w.Tile.Numbers)
        {
            int number = block + thread / channels;
            bool isThere = channel < w.Tile.Width && number < w.Tile.States;
            float decay = SelectiveTile<T>.Decay(w.Tile, channel, number), g = 0, dDecay = 0;
            for (int chunk = w.Chunks - 1; chunk >= 0; chunk--)
            {
                float state = 0, second = 0, third = 0, fourth = 0;
                if (isThere)
                {
                    state = w.Kept[(((long)row * w.Chunks + chunk) * w.Tile.States + number) * w.Tile.Width + channel];
                }

                float begin = state;
                for (int tile = 0; tile < Tiles - 1; tile++)
                {
                    state = Forward(w, shared, states, block, row, chunk * SelectiveScanCall.Chunk + tile * Places, decay, state);
                    second = tile == 0 ? state : second;
                    third = tile == 1 ? state : third;
                    fourth = tile == 2 ? state : fourth;
                }

                for (int tile = Tiles - 1; tile >= 0; tile--)
                {
                    int first = chunk * SelectiveScanCall.Chunk + tile * Places;
                    float before = tile == 0 ? begin : tile == 1 ? second : tile == 2 ? third : fourth;
                    _ = Forward(w, shared, states, block, row, first, decay, before);
                    for (int p = Places - Together; p >= 0; p -= Together)
                    {
                        for (int i = Together - 1; i >= 0; i--)
                        {
                            Back(w, shared, states, parts, row, first, p, i, decay, ref g, ref dDecay, ref dSkip);
                        }

                        Group.Barrier();
                        SumChannels(w, parts, block, row, first + p);
                        SumNumbers(w, shared, parts, block, row, first, p);
                        Group.Barrier();
                    }
                }
            }

            if (isThere)
            {
                w.DecayParts[((long)row * w.Tile.Width + channel) * w.Tile.States + number] = dDecay * decay;
            }

            if (block == 0 && thread < channels && channel < w.Tile.Width)
            {
                w.SkipParts[(long)row * w.Tile.Width + channel] = dSkip;
            }
        }
    }

    /// <summary>Puts Δ, x, dy, in and out of a tile into shared memory and walks through it; the state after it.</summary>
    private static float Forward(
        in SelectiveBackwardWork<T> w, ArrayView<float> shared, ArrayView<float> states, int block, int row, int first, float decay, float state)
    {
        int channels = w.Tile.Channels, numbers = w.Tile.Numbers, threads = channels * numbers, thread = Group.IdxX, time = w.Tile.Seams.Time;
        Group.Barrier();
        for (int i = thread; i < Places * channels; i += threads)
        {
            int place = first + i / channels, c = Grid.IdxX * channels + i % channels;
            shared[i] = SelectiveTile<T>.Step(w.Tile, row, place, c, time);
            shared[Places * Side + i] = SelectiveTile<T>.Read(w.Tile.X, row, place, c, time, w.Tile.Width);
            shared[2 * Places * Side + i] = SelectiveTile<T>.Read(w.DY, row, place, c, time, w.Tile.Width);
        }

        for (int i = thread; i < Places * numbers; i += threads)
        {
            int place = first + i / numbers, n = block + i % numbers;
            shared[3 * Places * Side + i] = SelectiveTile<T>.Read(w.Tile.In, row, place, n, time, w.Tile.States);
            shared[4 * Places * Side + i] = SelectiveTile<T>.Read(w.Tile.Out, row, place, n, time, w.Tile.States);
        }

        Group.Barrier();
        for (int p = 0; p < Places; p++)
        {
            int c = p * channels + thread % channels, n = p * numbers + thread / channels;
            state *= Carries(w, row, first + p);
            states[p * threads + thread] = state;
            state = SelectiveTile<T>.Power(shared[c], decay) * state + shared[c] * shared[Places * Side + c] * shared[3 * Places * Side + n];
        }

        return state;
    }

    /// <summary>One place back.</summary>
    private static void Back(
        in SelectiveBackwardWork<T> w, ArrayView<float> shared, ArrayView<float> states, ArrayView<float> parts, int row, int first, int from, int i, float decay,
        ref float g, ref float dDecay, ref float dSkip)
    {
        int channels = w.Tile.Channels, threads = channels * w.Tile.Numbers, thread = Group.IdxX, p = from + i;
        int c = p * channels + thread % channels, n = p * w.Tile.Numbers + thread / channels;
        float step = shared[c], x = shared[Places * Side + c], dy = shared[2 * Places * Side + c], into = shared[3 * Places * Side + n];
        float power = SelectiveTile<T>.Power(step, decay), before = states[p * threads + thread];
        dSkip += dy * x;
        g += dy * shared[4 * Places * Side + n];
        parts[i * threads + thread] = g * step * x;
        parts[(Together + i) * threads + thread] = dy * (power * before + step * x * into);
        parts[(2 * Together + i) * threads + thread] = g * into;
        g *= power;
        float q = g * before;
        dDecay += q * step;
        parts[(3 * Together + i) * threads + thread] = q * decay;
        g *= Carries(w, row, first + p);
    }

    private static void SumChannels(in SelectiveBackwardWork<T> w, ArrayView<float> parts, int block, int row, int first)
    {
        int channels = w.Tile.Channels, numbers = w.Tile.Numbers, threads = channels * numbers, time = w.Tile.Seams.Time;
        for (int i = Group.IdxX; i < Together * numbers; i += threads)
        {
            int p = i / numbers, n = i % numbers;
            if (first + p < time && block + n < w.Tile.States)
            {
                float into = 0, from = 0;
                for (int c = 0; c < channels; c++)
                {
                    into += parts[p * threads + n * channels + c];
                    from += parts[(Together + p) * threads + n * channels + c];
                }

                long at = (((long)row * Grid.DimX + Grid.IdxX) * time + first + p) * w.Tile.States + block + n;
                w.IntoParts[at] = into;
                w.FromParts[at] = from;
            }
        }
    }

    private static void SumNumbers(in SelectiveBackwardWork<T> w, ArrayView<float> shared, ArrayView<float> parts, int block, int row, int first, int from)
    {
        int channels = w.Tile.Channels, numbers = w.Tile.Numbers, threads = channels * numbers;
        for (int i = Group.IdxX; i < Together * channels; i += threads)
        {
            int p = i / channels, c = i % channels, channel = Grid.IdxX * channels + c, place = first + from + p, at = (from + p) * channels + c;
            if (place < w.Tile.Seams.Time && channel < w.Tile.Width)
            {
                float into = 0, through = 0;
                for (int n = 0; n < numbers; n++)
                {
                    into += parts[(2 * Together + p) * threads + n * channels + c];
                    through += parts[(3 * Together + p) * threads + n * channels + c];
                }

                float step = shared[at], x = shared[Places * Side + at], dy = shared[2 * Places * Side + at], dx = step * into;
                if (block == 0)
                {
                    dx += T.Read(w.Tile.Skip[channel]) * dy;
                }

                // Of the numbers before these the results have the sum.
                if (w.DX.Has != 0)
                {
                    SequenceView<T>.Put(w.DX, row, place, channel, dx, w.AccumulateX + block);
                }

                if (w.DDelta.Has != 0)
                {
                    float slope = LaneFormulas.Sigmoid(new GpuLane(SequenceView<T>.Read(w.Tile.Delta, row, place, channel))).Value;
                    SequenceView<T>.Put(w.DDelta, row, place, channel, (into * x + through) * slope, w.AccumulateDelta + block);
                }
            }
        }
    }

    private static float Carries(in SelectiveBackwardWork<T> w, int row, int place)
        => Seams<T>.Carries(w.Tile.Seams, row, IntrinsicMath.Min(place, w.Tile.Seams.Time - 1));
}

/// <summary>Adds the groups' sums up, in their order: a number of a place a thread.</summary>
internal struct SelectiveSumWork<T> : IGpuWork<SelectiveSumWork<T>>
    where T : unmanaged, IElement<T>
{
    public ArrayView<float> IntoParts, FromParts;
    public SequenceView<T> DIn, DOut;
    public int Threads, Time, States, Groups, AccumulateIn, AccumulateOut;

    public static void Run(SelectiveSumWork<T> w)
    {
        int thread = Grid.IdxX * Group.DimX + Group.IdxX;
        if (thread >= w.Threads)
        {
            return;
        }

        int token = thread / w.States, number = thread - token * w.States, row = token / w.Time, place = token - row * w.Time;
        float into = 0, from = 0;
        for (int group = 0; group < w.Groups; group++)
        {
            long at = (((long)row * w.Groups + group) * w.Time + place) * w.States + number;
            into += w.IntoParts[at];
            from += w.FromParts[at];
        }

        if (w.DIn.Has != 0)
        {
            SequenceView<T>.Put(w.DIn, row, place, number, into, w.AccumulateIn);
        }

        if (w.DOut.Has != 0)
        {
            SequenceView<T>.Put(w.DOut, row, place, number, from, w.AccumulateOut);
        }
    }
}
