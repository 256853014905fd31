using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Time;

/// <summary>Which places of a row see each other.</summary>
internal static class MixSeam
{
    /// <summary>Whether nothing begins after <paramref name="from"/> up to <paramref name="place"/>, which is not before it.</summary>
    public static bool Reaches<T>(in Seams<T> seams, int row, int from, int place)
        where T : unmanaged, IElement<T>
    {
        float reaches = from > place ? 0f : 1f;
        for (int t = place; seams.HasContinues != 0 && t > from; t--)
        {
            reaches *= Seams<T>.Carries(seams, row, t);
        }

        return reaches != 0;
    }
}

/// <summary>y[b, g, i, s] = mix[g, first + i, s] where s is seen.</summary>
internal struct MixRowsWork<T> : IGpuWork<MixRowsWork<T>>
    where T : unmanaged, IElement<T>
{
    public SequenceView<T> Mix;
    public ArrayView<T> Y;
    public Seams<T> Seams;
    public int Threads, Groups, Rows, Width, First;

    public static void Run(MixRowsWork<T> w)
    {
        int thread = Grid.IdxX * Group.DimX + Group.IdxX;
        if (thread >= w.Threads)
        {
            return;
        }

        int line = thread / w.Width, from = thread - line * w.Width, i = line % w.Rows, group = line / w.Rows % w.Groups, row = line / w.Rows / w.Groups;
        float value = 0;
        if (MixSeam.Reaches(w.Seams, row, from, w.First + i))
        {
            value = SequenceView<T>.Read(w.Mix, group, w.First + i, from);
        }

        w.Y[thread] = T.Write(value);
    }
}

/// <summary>dMix[g, first + i, s] += Σ_b dy[b, g, i, s] where s is seen.</summary>
internal struct MixRowsBackwardWork<T> : IGpuWork<MixRowsBackwardWork<T>>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> DY;
    public SequenceView<F32> DMix;
    public Seams<T> Seams;
    public int Threads, Batch, Groups, Rows, Width, First;

    public static void Run(MixRowsBackwardWork<T> w)
    {
        int thread = Grid.IdxX * Group.DimX + Group.IdxX;
        if (thread >= w.Threads)
        {
            return;
        }

        int line = thread / w.Width, from = thread - line * w.Width, i = line % w.Rows, group = line / w.Rows;
        if (from > w.First + i)
        {
            return;
        }

        float sum = 0;
        for (int row = 0; row < w.Batch; row++)
        {
            if (MixSeam.Reaches(w.Seams, row, from, w.First + i))
            {
                sum += T.Read(w.DY[(long)row * w.Threads + thread]);
            }
        }

        SequenceView<F32>.Put(w.DMix, group, w.First + i, from, sum, 1);
    }
}

/// <summary>New values into the cache.</summary>
internal struct MixAppendWork<T> : IGpuWork<MixAppendWork<T>>
    where T : unmanaged, IElement<T>
{
    public SequenceView<T> V;
    public ArrayView<T> Cache;
    public ArrayView<int> Positions, Counts;
    public int Threads, Time, Width, Capacity;

    public static void Run(MixAppendWork<T> w)
    {
        int thread = Grid.IdxX * Group.DimX + Group.IdxX;
        if (thread >= w.Threads)
        {
            return;
        }

        int token = thread / w.Width, channel = thread - token * w.Width, row = token / w.Time, place = token - row * w.Time, position = Position(w, row, place);
        if (position >= 0)
        {
            w.Cache[((long)row * w.Capacity + position) * w.Width + channel] = w.V.Values[SequenceView<T>.At(w.V, row, place, channel)];
        }
    }

    /// <summary>Where a new token goes, −1 where a place only pads.</summary>
    public static int Position(in MixAppendWork<T> w, int row, int place)
    {
        int position = w.Positions[row] + place;
        return place < w.Counts[row] && position >= 0 && position < w.Capacity ? position : -1;
    }
}

/// <summary>y[b, t, c] = Σ_s mix[g, p, s] cache[b, s, c] over s ≤ p.</summary>
internal struct MixStepWork<T> : IGpuWork<MixStepWork<T>>
    where T : unmanaged, IElement<T>
{
    public MixAppendWork<T> Append;
    public SequenceView<T> Mix, Y;
    public int Channels;

    public static void Run(MixStepWork<T> w)
    {
        int thread = Grid.IdxX * Group.DimX + Group.IdxX, width = w.Append.Width;
        if (thread >= w.Append.Threads)
        {
            return;
        }

        int token = thread / width, channel = thread - token * width, row = token / w.Append.Time, place = token - row * w.Append.Time;
        int position = MixAppendWork<T>.Position(w.Append, row, place), group = channel / w.Channels;
        long cache = (long)row * w.Append.Capacity * width + channel;
        float sum = 0;
        for (int s = 0; s <= position; s++)
        {
            sum += SequenceView<T>.Read(w.Mix, group, position, s) * T.Read(w.Append.Cache[cache + (long)s * width]);
        }

        SequenceView<T>.Write(w.Y, row, place, channel, sum);
    }
}
