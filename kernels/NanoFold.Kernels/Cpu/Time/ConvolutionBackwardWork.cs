using System.Runtime.CompilerServices;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Time;

/// <summary>dx_t = Σ_k w_k ⊙ dy_{t+K−1−k}, four places at a time.</summary>
internal unsafe struct ConvolutionInputWork : ILaneWork
{
    public required CpuContext Context;
    public PlaceCut Cut;
    public Beginnings Beginnings;
    public Steps DY;
    public Steps DX;
    public byte* Weight;
    public bool Accumulate;

    public readonly void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        Stretch stretch = Cut[item];
        int size = V.Type.Size();
        byte* weights = (byte*)Context.Scratch(worker, Beginnings.ScratchBytes<V>(stretch.Count));
        var latest = (int*)(weights + Beginnings.Taps * Walk.Channels * size);
        Beginnings.Transpose<V>(Weight, stretch.Channel, stretch.Channels, weights);
        Beginnings.Latest(stretch.Row, stretch.First, stretch.Count, latest);
        int i = 0;
        for (; i <= stretch.Channels - V.Width; i += V.Width)
        {
            Lane<V, Whole<V>>(stretch, i, 0, weights + i * size, latest);
        }

        if (i < stretch.Channels)
        {
            Lane<V, Part<V>>(stretch, i, stretch.Channels - i, weights + i * size, latest);
        }
    }

    private readonly void Lane<V, P>(in Stretch stretch, int lane, int part, byte* weights, int* latest)
        where V : struct, ICpuLane<V>
        where P : struct, IPiece<V>
    {
        int last = Beginnings.Taps - 1, channel = stretch.Channel + lane;
        for (int t = 0; t < stretch.Count;)
        {
            int place = stretch.First + t;
            byte* dx = DX.At(stretch.Row, place, channel), dy = DY.At(stretch.Row, place, channel);
            bool whole = t + 4 <= stretch.Count
                && latest[t] == place + last && latest[t + 1] == place + last + 1 && latest[t + 2] == place + last + 2 && latest[t + 3] == place + last + 3;
            if (whole)
            {
                Four<V, P>(dy, weights, dx, part);
                t += 4;
                continue;
            }

            V sum = V.Constant(0);
            for (int from = place; from <= latest[t]; from++)
            {
                sum = V.MultiplyAdd(P.Load(weights, (nint)(last - from + place) * Walk.Channels, part), P.Load(DY.At(stretch.Row, from, channel), 0, part), sum);
            }

            Put<V, P>(dx, sum, part);
            t++;
        }
    }

    private readonly void Four<V, P>(byte* dy, byte* weights, byte* dx, int part)
        where V : struct, ICpuLane<V>
        where P : struct, IPiece<V>
    {
        nint dyPlace = DY.Place, dxPlace = DX.Place;
        Beginnings.Fetch(dy, dyPlace);
        Beginnings.Fetch(dx, dxPlace);
        V sum0 = V.Constant(0), sum1 = sum0, sum2 = sum0, sum3 = sum0;
        V y0 = P.Load(dy, 0, part), y1 = P.Load(dy + dyPlace, 0, part), y2 = P.Load(dy + 2 * dyPlace, 0, part);
        dy += 3 * dyPlace;
        for (nint tap = (nint)(Beginnings.Taps - 1) * Walk.Channels; tap >= 0; tap -= Walk.Channels, dy += dyPlace)
        {
            V weight = P.Load(weights, tap, part), y3 = P.Load(dy, 0, part);
            sum0 = V.MultiplyAdd(weight, y0, sum0);
            sum1 = V.MultiplyAdd(weight, y1, sum1);
            sum2 = V.MultiplyAdd(weight, y2, sum2);
            sum3 = V.MultiplyAdd(weight, y3, sum3);
            y0 = y1;
            y1 = y2;
            y2 = y3;
        }

        Put<V, P>(dx, sum0, part);
        Put<V, P>(dx + dxPlace, sum1, part);
        Put<V, P>(dx + 2 * dxPlace, sum2, part);
        Put<V, P>(dx + 3 * dxPlace, sum3, part);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly void Put<V, P>(byte* dx, V value, int part)
        where V : struct, ICpuLane<V>
        where P : struct, IPiece<V>
        => P.Store(dx, 0, part, Accumulate ? P.Load(dx, 0, part) + value : value);
}

/// <summary>Sums of one stretch of places, [K + 1, C]: Σ dy_t ⊙ x_{t−K+1+k} for each k, then Σ dy_t.</summary>
internal unsafe struct ConvolutionWeightWork : ILaneWork
{
    public required CpuContext Context;
    public PlaceCut Cut;
    public Beginnings Beginnings;
    public Steps X;
    public Steps DY;
    public byte* Partials;

    public readonly void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        Stretch stretch = Cut[item];
        var earliest = (int*)Context.Scratch(worker, (long)stretch.Count * sizeof(int));
        Beginnings.Earliest(stretch.Row, stretch.First, stretch.Count, 0, earliest);
        int i = 0;
        for (; i <= stretch.Channels - V.Width; i += V.Width)
        {
            Lane<V, Whole<V>>(stretch, stretch.Channel + i, 0, earliest);
        }

        if (i < stretch.Channels)
        {
            Lane<V, Part<V>>(stretch, stretch.Channel + i, stretch.Channels - i, earliest);
        }
    }

    private readonly void Lane<V, P>(in Stretch stretch, int channel, int part, int* earliest)
        where V : struct, ICpuLane<V>
        where P : struct, IPiece<V>
    {
        int taps = Beginnings.Taps, tap = 0;
        nint width = Cut.Width;
        byte* sums = Partials + (stretch.Part * (taps + 1) * width + channel) * V.Type.Size();
        for (; tap + 4 <= taps; tap += 4)
        {
            Four<V, P>(stretch, channel, part, tap, earliest, sums);
        }

        for (; tap < taps; tap++)
        {
            V sum = V.Constant(0);
            for (int t = 0; t < stretch.Count; t++)
            {
                sum = Add<V, P>(sum, P.Load(DY.At(stretch.Row, stretch.First + t, channel), 0, part), stretch.Row, stretch.First + t - taps + 1 + tap, channel, part, earliest[t]);
            }

            P.Store(sums, tap * width, part, sum);
        }

        V total = V.Constant(0);
        for (int t = 0; t < stretch.Count; t++)
        {
            total += P.Load(DY.At(stretch.Row, stretch.First + t, channel), 0, part);
        }

        P.Store(sums, taps * width, part, total);
    }

    /// <summary>Four taps at a time.</summary>
    private readonly void Four<V, P>(in Stretch stretch, int channel, int part, int tap, int* earliest, byte* sums)
        where V : struct, ICpuLane<V>
        where P : struct, IPiece<V>
    {
        V sum0 = V.Constant(0), sum1 = sum0, sum2 = sum0, sum3 = sum0;
        for (int t = 0; t < stretch.Count; t++)
        {
            if (t % 4 == 0)
            {
                Beginnings.Fetch(X.At(stretch.Row, stretch.First + t, channel), X.Place);
                Beginnings.Fetch(DY.At(stretch.Row, stretch.First + t, channel), DY.Place);
            }

            int first = stretch.First + t - Beginnings.Taps + 1 + tap;
            V dy = P.Load(DY.At(stretch.Row, stretch.First + t, channel), 0, part);
            if (earliest[t] <= first)
            {
                byte* x = X.At(stretch.Row, first, channel);
                sum0 = V.MultiplyAdd(dy, P.Load(x, 0, part), sum0);
                sum1 = V.MultiplyAdd(dy, P.Load(x + X.Place, 0, part), sum1);
                sum2 = V.MultiplyAdd(dy, P.Load(x + 2 * X.Place, 0, part), sum2);
                sum3 = V.MultiplyAdd(dy, P.Load(x + 3 * X.Place, 0, part), sum3);
                continue;
            }

            sum0 = Add<V, P>(sum0, dy, stretch.Row, first, channel, part, earliest[t]);
            sum1 = Add<V, P>(sum1, dy, stretch.Row, first + 1, channel, part, earliest[t]);
            sum2 = Add<V, P>(sum2, dy, stretch.Row, first + 2, channel, part, earliest[t]);
            sum3 = Add<V, P>(sum3, dy, stretch.Row, first + 3, channel, part, earliest[t]);
        }

        nint width = Cut.Width;
        P.Store(sums, tap * width, part, sum0);
        P.Store(sums, (tap + 1) * width, part, sum1);
        P.Store(sums, (tap + 2) * width, part, sum2);
        P.Store(sums, (tap + 3) * width, part, sum3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly V Add<V, P>(V sum, V dy, int row, int place, int channel, int part, int earliest)
        where V : struct, ICpuLane<V>
        where P : struct, IPiece<V>
        => place < earliest ? sum : V.MultiplyAdd(dy, P.Load(X.At(row, place, channel), 0, part), sum);
}

/// <summary>dWeight += and dBias += the sums of all stretches, in their order; the additions are compensated (Kahan).</summary>
internal unsafe struct ConvolutionSumWork : ILaneWork
{
    public byte* Partials;
    public long Parts;
    public int Taps;
    public int Channels;
    public byte* DWeight;
    public byte* DBias;

    public readonly long Items => (Channels + Walk.Channels - 1) / Walk.Channels;

    public readonly void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        int channel = (int)item * Walk.Channels, end = Math.Min(channel + Walk.Channels, Channels);
        byte* lane = stackalloc byte[Walk.Channels * sizeof(double)];
        for (int i = channel; i < end; i += V.Width)
        {
            int count = Math.Min(V.Width, end - i);
            for (int k = 0; k <= Taps; k++)
            {
                byte* target = k == Taps ? DBias : DWeight;
                if (target is null)
                {
                    continue;
                }

                V.Store(lane, 0, Sum<V>(Partials + ((nint)k * Channels + i) * V.Type.Size(), count));
                for (int c = 0; c < count; c++)
                {
                    long at = k == Taps ? i + c : (long)(i + c) * Taps + k;
                    Element.Set<V>(target, at, Element.Get<V>(target, at) + Element.Get<V>(lane, c));
                }
            }
        }
    }

    private readonly V Sum<V>(byte* partials, int count)
        where V : struct, ICpuLane<V>
    {
        nint stride = (nint)(Taps + 1) * Channels * V.Type.Size();
        V sum = V.Constant(0), lost = sum;
        for (long part = 0; part < Parts; part++, partials += stride)
        {
            V value = V.LoadPart(partials, 0, count) - lost;
            V next = sum + value;
            lost = next - sum - value;
            sum = next;
        }

        return sum;
    }
}
