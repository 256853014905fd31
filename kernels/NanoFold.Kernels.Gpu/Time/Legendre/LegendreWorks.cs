using ILGPU;
using NanoFold.Kernels.Calls.Time;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Gpu.Time.Legendre;

/// <summary>What both directions of a Legendre scan read; a thread walks one channel of one row, its neighbors the channels beside it.</summary>
internal struct LegendreView<T>
    where T : unmanaged, IElement<T>
{
    public SequenceView<T> X;
    public Seams<T> Seams;
    public ArrayView<T> Delta, Out, Skip;
    public int Threads, Width, States, Chunks;

    /// <summary>Half of Δ.</summary>
    public static float Half(in LegendreView<T> w, int channel) => 0.5f * LaneFormulas.Softplus(new GpuLane(T.Read(w.Delta[channel]))).Value;

    /// <summary>The first number of a state of a row; the others follow a width apart.</summary>
    public static long State(in LegendreView<T> w, int row, int channel) => (long)row * w.States * w.Width + channel;

    /// <summary>The same of the kept state before a chunk.</summary>
    public static long Kept(in LegendreView<T> w, int row, int chunk, int channel) => ((long)row * w.Chunks + chunk) * w.States * w.Width + channel;

    /// <summary>√(2n + 1).</summary>
    public static float Root(int number) => MathF.Sqrt(2 * number + 1);

    /// <summary>A number of the state after a place.</summary>
    public static float Next(float state, float half, float x, int number, ref GpuLane sum)
        => LegendreStep.Next(new GpuLane(state), new(half), new(x + x), new(Root(number)), new(number + 1), ref sum).Value;
}

/// <summary>The bilinear step of each place; the state lies in memory.</summary>
internal struct LegendreScanWork<T> : IGpuWork<LegendreScanWork<T>>
    where T : unmanaged, IElement<T>
{
    public LegendreView<T> View;
    public SequenceView<T> Y;

    /// <summary>[B, N, C], as it begins and as it ends; or room, which begins at 0.</summary>
    public ArrayView<float> State;

    public ArrayView<float> Kept;
    public int HasState, HasKept;

    public static void Run(LegendreScanWork<T> w)
    {
        int thread = Grid.IdxX * Group.DimX + Group.IdxX, width = w.View.Width;
        if (thread >= w.View.Threads)
        {
            return;
        }

        int row = thread / width, channel = thread - row * width, count = Seams<T>.Count(w.View.Seams, row);
        float half = LegendreView<T>.Half(w.View, channel), skip = T.Read(w.View.Skip[channel]);
        long state = LegendreView<T>.State(w.View, row, channel);
        for (int n = 0; n < w.View.States && w.HasState == 0; n++)
        {
            w.State[state + (long)n * width] = 0;
        }

        for (int t = 0; t < count; t++)
        {
            float carries = Seams<T>.Carries(w.View.Seams, row, t), x = SequenceView<T>.Read(w.View.X, row, t, channel), y = skip * x;
            bool isKept = w.HasKept != 0 && t % SelectiveScanCall.Chunk == 0;
            long kept = LegendreView<T>.Kept(w.View, row, t / SelectiveScanCall.Chunk, channel);
            GpuLane sum = new(0);
            for (int n = 0; n < w.View.States; n++)
            {
                float before = carries * w.State[state + (long)n * width];
                if (isKept)
                {
                    w.Kept[kept + (long)n * width] = before;
                }

                float next = LegendreView<T>.Next(before, half, x, n, ref sum);
                w.State[state + (long)n * width] = next;
                y += T.Read(w.View.Out[(long)channel * w.View.States + n]) * next;
            }

            SequenceView<T>.Write(w.Y, row, t, channel, y);
        }

        for (int t = count; t < w.View.Seams.Time; t++)
        {
            SequenceView<T>.Write(w.Y, row, t, channel, 0);
        }
    }
}

/// <summary>The gradients, the last chunk first, whose states are made again from the kept ones.</summary>
internal struct LegendreBackwardWork<T> : IGpuWork<LegendreBackwardWork<T>>
    where T : unmanaged, IElement<T>
{
    private const int Chunk = SelectiveScanCall.Chunk;

    public LegendreView<T> View;
    public SequenceView<T> DY, DX;
    public ArrayView<float> Kept;

    /// <summary>The states after each place of a chunk, [B, Chunk, N, C].</summary>
    public ArrayView<float> History;

    /// <summary>What goes to the place before, and w, [B, N, C] each.</summary>
    public ArrayView<float> Carried, Solved;

    /// <summary>Of each row dOut [C, N], dDelta [C] and dSkip [C].</summary>
    public ArrayView<float> OutParts, DeltaParts, SkipParts;

    public int AccumulateX;

    public static void Run(LegendreBackwardWork<T> w)
    {
        int thread = Grid.IdxX * Group.DimX + Group.IdxX, width = w.View.Width, states = w.View.States;
        if (thread >= w.View.Threads)
        {
            return;
        }

        int row = thread / width, channel = thread - row * width;
        long own = LegendreView<T>.State(w.View, row, channel), outs = (long)channel * states, parts = (long)thread * states;
        float half = LegendreView<T>.Half(w.View, channel), skip = T.Read(w.View.Skip[channel]), dHalf = 0, dSkip = 0;
        for (int n = 0; n < states; n++)
        {
            w.Carried[own + (long)n * width] = 0;
            w.OutParts[parts + n] = 0;
        }

        for (int chunk = w.View.Chunks - 1; chunk >= 0; chunk--)
        {
            int first = chunk * Chunk, places = IntrinsicMath.Min(Chunk, w.View.Seams.Time - first);
            for (int t = 0; t < places; t++)
            {
                float carries = Seams<T>.Carries(w.View.Seams, row, first + t), x = SequenceView<T>.Read(w.View.X, row, first + t, channel);
                GpuLane sum = new(0);
                for (int n = 0; n < states; n++)
                {
                    w.History[At(w, row, channel, t, n)] = LegendreView<T>.Next(carries * Before(w, row, channel, chunk, t, n), half, x, n, ref sum);
                }
            }

            for (int t = places - 1; t >= 0; t--)
            {
                float carries = Seams<T>.Carries(w.View.Seams, row, first + t);
                float x = SequenceView<T>.Read(w.View.X, row, first + t, channel), dy = SequenceView<T>.Read(w.DY, row, first + t, channel), sum = 0;
                for (int n = states - 1; n >= 0; n--)
                {
                    long at = own + (long)n * width;
                    float root = LegendreView<T>.Root(n), rate = half * (n + 1), through = half * root * sum;
                    w.OutParts[parts + n] += dy * w.History[At(w, row, channel, t, n)];
                    float solved = (dy * T.Read(w.View.Out[outs + n]) + w.Carried[at] - through) / (1 + rate);
                    w.Solved[at] = solved;
                    w.Carried[at] = carries * (solved * (1 - rate) - through);
                    sum += root * solved;
                }

                dSkip += dy * x;
                if (w.DX.Has != 0)
                {
                    SequenceView<T>.Put(w.DX, row, first + t, channel, 2 * half * sum + skip * dy, w.AccumulateX);
                }

                float passed = 0;
                for (int n = 0; n < states; n++)
                {
                    float root = LegendreView<T>.Root(n), both = w.History[At(w, row, channel, t, n)] + carries * Before(w, row, channel, chunk, t, n);
                    dHalf += w.Solved[own + (long)n * width] * (root * (2 * x - passed) - (n + 1) * both);
                    passed += root * both;
                }
            }
        }

        w.DeltaParts[thread] = 0.5f * dHalf * LaneFormulas.Sigmoid(new GpuLane(T.Read(w.View.Delta[channel]))).Value;
        w.SkipParts[thread] = dSkip;
    }

    private static long At(in LegendreBackwardWork<T> w, int row, int channel, int place, int number)
        => (((long)row * Chunk + place) * w.View.States + number) * w.View.Width + channel;

    /// <summary>A number of the state before a place of a chunk, wherever something begins.</summary>
    private static float Before(in LegendreBackwardWork<T> w, int row, int channel, int chunk, int place, int number)
    {
        if (place == 0)
        {
            return w.Kept[LegendreView<T>.Kept(w.View, row, chunk, channel) + (long)number * w.View.Width];
        }

        return w.History[At(w, row, channel, place - 1, number)];
    }
}
