using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Time;

/// <summary>y_t = bias + Σ_k w_k ⊙ x_{t−K+1+k}, from the own place back to a beginning.</summary>
internal struct ConvolutionWork<T> : IGpuWork<ConvolutionWork<T>>
    where T : unmanaged, IElement<T>
{
    public SequenceView<T> X, Y;
    public Seams<T> Seams;
    public ArrayView<T> Weight, Bias, State;
    public int Threads, Width, Taps, HasBias, HasState;

    public static void Run(ConvolutionWork<T> w)
    {
        int thread = Grid.IdxX * Group.DimX + Group.IdxX;
        if (thread >= w.Threads)
        {
            return;
        }

        int at = thread / w.Width, channel = thread - at * w.Width, row = at / w.Seams.Time, place = at - row * w.Seams.Time;
        float sum = 0;
        if (place < Seams<T>.Count(w.Seams, row))
        {
            sum = w.HasBias != 0 ? T.Read(w.Bias[channel]) : 0;
            int earliest = w.HasState != 0 ? 1 - w.Taps : 0, last = IntrinsicMath.Max(place - w.Taps + 1, earliest);
            long weight = (long)channel * w.Taps + w.Taps - 1 - place;
            for (int from = place; from >= last; from--)
            {
                float x = from >= 0
                    ? SequenceView<T>.Read(w.X, row, from, channel)
                    : T.Read(w.State[((long)row * (w.Taps - 1) + from + w.Taps - 1) * w.Width + channel]);
                sum += T.Read(w.Weight[weight + from]) * x;
                if (from >= 0 && Seams<T>.Carries(w.Seams, row, from) == 0)
                {
                    last = from;
                }
            }
        }

        SequenceView<T>.Write(w.Y, row, place, channel, sum);
    }
}

/// <summary>The last inputs become the state, the oldest first; what lies before the last beginning becomes 0.</summary>
internal struct ConvolutionStateWork<T> : IGpuWork<ConvolutionStateWork<T>>
    where T : unmanaged, IElement<T>
{
    public SequenceView<T> X;
    public Seams<T> Seams;
    public ArrayView<T> State;
    public int Threads, Width, Kept;

    public static void Run(ConvolutionStateWork<T> w)
    {
        int thread = Grid.IdxX * Group.DimX + Group.IdxX;
        if (thread >= w.Threads)
        {
            return;
        }

        int row = thread / w.Width, channel = thread - row * w.Width, count = Seams<T>.Count(w.Seams, row), begin = -w.Kept;
        for (int place = IntrinsicMath.Max(0, count - w.Kept); place < count; place++)
        {
            if (Seams<T>.Carries(w.Seams, row, place) == 0)
            {
                begin = place;
            }
        }

        long state = (long)row * w.Kept * w.Width + channel;
        for (int i = 0; i < w.Kept; i++)
        {
            // Inputs of the state move to an earlier place, so those that follow are still there.
            int from = count - w.Kept + i;
            T value = T.Write(0);
            if (from >= begin)
            {
                value = from < 0 ? w.State[state + (long)(from + w.Kept) * w.Width] : w.X.Values[SequenceView<T>.At(w.X, row, from, channel)];
            }

            w.State[state + (long)i * w.Width] = value;
        }
    }
}

/// <summary>dx_t = Σ_k w_k ⊙ dy_{t+K−1−k}, up to a beginning.</summary>
internal struct ConvolutionInputWork<T> : IGpuWork<ConvolutionInputWork<T>>
    where T : unmanaged, IElement<T>
{
    public SequenceView<T> DY, DX;
    public Seams<T> Seams;
    public ArrayView<T> Weight;
    public int Threads, Width, Taps, Accumulate;

    public static void Run(ConvolutionInputWork<T> w)
    {
        int thread = Grid.IdxX * Group.DimX + Group.IdxX;
        if (thread >= w.Threads)
        {
            return;
        }

        int at = thread / w.Width, channel = thread - at * w.Width, row = at / w.Seams.Time, place = at - row * w.Seams.Time;
        float sum = 0;
        long weight = (long)channel * w.Taps + w.Taps - 1 + place;
        int end = IntrinsicMath.Min(place + w.Taps, w.Seams.Time);
        for (int from = place; from < end; from++)
        {
            if (from > place && Seams<T>.Carries(w.Seams, row, from) == 0)
            {
                end = from;
            }
            else
            {
                sum += T.Read(w.Weight[weight - from]) * SequenceView<T>.Read(w.DY, row, from, channel);
            }
        }

        SequenceView<T>.Put(w.DX, row, place, channel, sum, w.Accumulate);
    }
}

/// <summary>Sums of a stretch of places, a tap of a channel a thread: Σ dy_t ⊙ x_{t−K+1+k}, and after the last tap Σ dy_t.</summary>
internal struct ConvolutionWeightWork<T> : IGpuWork<ConvolutionWeightWork<T>>
    where T : unmanaged, IElement<T>
{
    public SequenceView<T> X, DY;
    public Seams<T> Seams;
    public ArrayView<float> Partials;
    public int Width, Taps, Places, All;

    public static void Run(ConvolutionWeightWork<T> w)
    {
        int thread = Grid.IdxX * Group.DimX + Group.IdxX, sums = (w.Taps + 1) * w.Width;
        if (thread >= sums)
        {
            return;
        }

        int tap = thread / w.Width, channel = thread - tap * w.Width, back = w.Taps - 1 - tap;
        int first = Grid.IdxY * w.Places, row = first / w.Seams.Time, place = first - row * w.Seams.Time;
        // Places since the last beginning, as far as it matters.
        int since = IntrinsicMath.Min(place, w.Taps);
        for (int i = IntrinsicMath.Max(1, place - w.Taps + 1); i < place; i++)
        {
            if (Seams<T>.Carries(w.Seams, row, i) == 0)
            {
                since = place - i;
            }
        }

        float sum = 0;
        int end = IntrinsicMath.Min(first + w.Places, w.All);
        for (int at = first; at < end; at++)
        {
            if (place == 0 || Seams<T>.Carries(w.Seams, row, place) == 0)
            {
                since = 0;
            }

            float dy = SequenceView<T>.Read(w.DY, row, place, channel);
            if (back < 0)
            {
                sum += dy;
            }
            else if (since >= back)
            {
                sum += dy * SequenceView<T>.Read(w.X, row, place - back, channel);
            }

            since++;
            place++;
            if (place == w.Seams.Time)
            {
                place = 0;
                row++;
            }
        }

        w.Partials[(long)Grid.IdxY * sums + thread] = sum;
    }
}

/// <summary>Adds the sums of all stretches, in their order, to the gradients.</summary>
internal struct ConvolutionSumWork : IGpuWork<ConvolutionSumWork>
{
    public ArrayView<float> Partials, DWeight, DBias;
    public int Width, Taps, Stretches, HasWeight, HasBias;

    public static void Run(ConvolutionSumWork w)
    {
        int thread = Grid.IdxX * Group.DimX + Group.IdxX, sums = (w.Taps + 1) * w.Width;
        if (thread >= sums)
        {
            return;
        }

        int tap = thread / w.Width, channel = thread - tap * w.Width;
        float sum = 0;
        for (int i = 0; i < w.Stretches; i++)
        {
            sum += w.Partials[(long)i * sums + thread];
        }

        if (tap == w.Taps)
        {
            if (w.HasBias != 0)
            {
                w.DBias[channel] += sum;
            }
        }
        else if (w.HasWeight != 0)
        {
            w.DWeight[(long)channel * w.Taps + tap] += sum;
        }
    }
}
