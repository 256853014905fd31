using System.Runtime.CompilerServices;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Cpu.MatMul.Tiles;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Time;

/// <summary>[B, T, C] cut into rows, stretches of places and blocks of channels: by shape only.</summary>
internal readonly struct PlaceCut
{
    private readonly int _width;
    private readonly int _blocks;
    private readonly int _stretches;
    private readonly int _places;

    public PlaceCut(in Layout shape, int places)
    {
        Time = shape[1];
        _width = shape[2];
        _places = places;
        _blocks = (_width + Walk.Channels - 1) / Walk.Channels;
        _stretches = (Time + places - 1) / places;
        Parts = (long)shape[0] * _stretches;
    }

    public int Time { get; }

    public int Width => _width;

    /// <summary>Stretches of all rows.</summary>
    public long Parts { get; }

    public long Items => Parts * _blocks;

    public Stretch this[long item]
    {
        get
        {
            (long part, long block) = Math.DivRem(item, _blocks);
            (long row, long stretch) = Math.DivRem(part, _stretches);
            int first = (int)stretch * _places, channel = (int)block * Walk.Channels;
            return new Stretch((int)row, part, first, Math.Min(_places, Time - first), channel, Math.Min(Walk.Channels, _width - channel));
        }
    }
}

/// <summary>Some places of a row and some of their channels.</summary>
internal readonly record struct Stretch(int Row, long Part, int First, int Count, int Channel, int Channels);

/// <summary>How far a place reaches: not over a beginning, and at most as many places as there are taps.</summary>
internal readonly unsafe struct Beginnings(in View continues, int time, int taps)
{
    /// <summary>Places from what is worked on to what is fetched.</summary>
    private const int Ahead = 16;

    private readonly byte* _continues = (byte*)continues.Address;
    private readonly int _size = continues.Type.Size();

    public int Taps { get; } = taps;

    /// <summary>Whether a row or a document begins at a place.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool At(int row, int place)
    {
        if (_continues is null)
        {
            return false;
        }

        long at = (long)row * time + place;
        return _size == sizeof(double) ? ((double*)_continues)[at] == 0 : ((float*)_continues)[at] == 0;
    }

    /// <summary>Of each place from <paramref name="first"/> on the earliest that it reaches; none lies before <paramref name="earliest"/>. The last beginning.</summary>
    public int Earliest(int row, int first, int count, int earliest, int* places)
    {
        int begin = earliest;
        for (int place = first - 1; place > Math.Max(first - Taps, begin) && place >= 0; place--)
        {
            if (At(row, place))
            {
                begin = place;
            }
        }

        for (int i = 0; i < count; i++)
        {
            if (At(row, first + i))
            {
                begin = first + i;
            }

            places[i] = Math.Max(begin, first + i - Taps + 1);
        }

        return begin;
    }

    /// <summary>Fetches four places to come, as many places after those that are worked on as takes: a lane of places lies far apart.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Fetch(byte* at, nint place)
    {
        at += Ahead * place;
        Prefetch.Line(at);
        Prefetch.Line(at + place);
        Prefetch.Line(at + 2 * place);
        Prefetch.Line(at + 3 * place);
    }

    /// <summary>Of each place from <paramref name="first"/> on the latest that reaches it.</summary>
    public void Latest(int row, int first, int count, int* places)
    {
        int end = Math.Min(time, first + count + Taps - 1);
        for (int place = Math.Min(time, first + count + Taps - 1) - 1; place >= first; place--)
        {
            if (place < first + count)
            {
                places[place - first] = Math.Min(end - 1, place + Taps - 1);
            }

            if (At(row, place))
            {
                end = place;
            }
        }
    }

    /// <summary>weight[c, k] of some channels as taps[k, c].</summary>
    public void Transpose<V>(byte* weight, int channel, int channels, void* taps)
        where V : struct, ICpuLane<V>
    {
        for (int c = 0; c < channels; c++)
        {
            for (int k = 0; k < Taps; k++)
            {
                Element.Set<V>(taps, k * Walk.Channels + c, Element.Get<V>(weight, (long)(channel + c) * Taps + k));
            }
        }
    }

    /// <summary>Room for transposed taps and a number for each place.</summary>
    public long ScratchBytes<V>(int places)
        where V : struct, ICpuLane<V>
        => (long)Taps * Walk.Channels * V.Type.Size() + (long)places * sizeof(int);
}

/// <summary>y_t = bias + Σ_k w_k ⊙ x_{t−K+1+k}: four places at a time share each tap and each input, but where something begins.</summary>
internal unsafe struct ConvolutionWork : ILaneWork
{
    public required CpuContext Context;
    public PlaceCut Cut;
    public Beginnings Beginnings;
    public Steps X;
    public Steps Y;
    public byte* Weight;
    public byte* Bias;
    public byte* State;
    public int* Counts;

    public readonly void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        Stretch stretch = Cut[item];
        int moved = Counts is null ? Cut.Time : Math.Clamp(Counts[stretch.Row], 0, Cut.Time);
        int count = Math.Clamp(moved - stretch.First, 0, stretch.Count), size = V.Type.Size(), taps = Beginnings.Taps;
        byte* weights = (byte*)Context.Scratch(worker, Beginnings.ScratchBytes<V>(stretch.Count));
        var earliest = (int*)(weights + taps * Walk.Channels * size);
        Beginnings.Transpose<V>(Weight, stretch.Channel, stretch.Channels, weights);
        int begin = Beginnings.Earliest(stretch.Row, stretch.First, count, State is null ? 0 : 1 - taps, earliest);
        int i = 0;
        for (; i <= stretch.Channels - V.Width; i += V.Width)
        {
            Lane<V, Whole<V>>(stretch, count, i, 0, weights + i * size, earliest);
        }

        if (i < stretch.Channels)
        {
            Lane<V, Part<V>>(stretch, count, i, stretch.Channels - i, weights + i * size, earliest);
        }

        for (int place = stretch.First + count; place < stretch.First + stretch.Count; place++)
        {
            new Span<byte>(Y.At(stretch.Row, place, stretch.Channel), stretch.Channels * size).Clear();
        }

        if (State is not null && count > 0)
        {
            Keep(stretch, count, begin, size);
        }
    }

    private readonly void Lane<V, P>(in Stretch stretch, int count, int lane, int part, byte* weights, int* earliest)
        where V : struct, ICpuLane<V>
        where P : struct, IPiece<V>
    {
        int taps = Beginnings.Taps, channel = stretch.Channel + lane;
        V bias = Bias is null ? V.Constant(0) : P.Load(Bias, channel, part);
        for (int t = 0; t < count;)
        {
            int place = stretch.First + t, first = place - taps + 1;
            bool whole = t + 4 <= count && first >= 0
                && earliest[t] == first && earliest[t + 1] == first + 1 && earliest[t + 2] == first + 2 && earliest[t + 3] == first + 3;
            if (whole)
            {
                Four<V, P>(X.At(stretch.Row, first, channel), X.Place, weights, bias, Y.At(stretch.Row, place, channel), Y.Place, part);
                t += 4;
                continue;
            }

            V sum = bias;
            for (int from = earliest[t]; from <= place; from++)
            {
                byte* x = from < 0 ? StateAt(stretch.Row, from, channel, V.Type.Size()) : X.At(stretch.Row, from, channel);
                sum = V.MultiplyAdd(P.Load(weights, (from - first) * Walk.Channels, part), P.Load(x, 0, part), sum);
            }

            P.Store(Y.At(stretch.Row, place, channel), 0, part, sum);
            t++;
        }
    }

    private readonly void Four<V, P>(byte* x, nint xPlace, byte* weights, V bias, byte* y, nint yPlace, int part)
        where V : struct, ICpuLane<V>
        where P : struct, IPiece<V>
    {
        Beginnings.Fetch(x + (Beginnings.Taps - 1) * xPlace, xPlace);
        Beginnings.Fetch(y, yPlace);
        V sum0 = bias, sum1 = bias, sum2 = bias, sum3 = bias;
        V x0 = P.Load(x, 0, part), x1 = P.Load(x + xPlace, 0, part), x2 = P.Load(x + 2 * xPlace, 0, part);
        x += 3 * xPlace;
        nint end = (nint)Beginnings.Taps * Walk.Channels;
        for (nint tap = 0; tap < end; tap += Walk.Channels, x += xPlace)
        {
            V weight = P.Load(weights, tap, part), x3 = P.Load(x, 0, part);
            sum0 = V.MultiplyAdd(weight, x0, sum0);
            sum1 = V.MultiplyAdd(weight, x1, sum1);
            sum2 = V.MultiplyAdd(weight, x2, sum2);
            sum3 = V.MultiplyAdd(weight, x3, sum3);
            x0 = x1;
            x1 = x2;
            x2 = x3;
        }

        P.Store(y, 0, part, sum0);
        P.Store(y + yPlace, 0, part, sum1);
        P.Store(y + 2 * yPlace, 0, part, sum2);
        P.Store(y + 3 * yPlace, 0, part, sum3);
    }

    /// <summary>The last inputs become the state, the oldest first; what lies before the last beginning becomes 0.</summary>
    private readonly void Keep(in Stretch stretch, int count, int begin, int size)
    {
        int kept = Beginnings.Taps - 1, bytes = stretch.Channels * size;
        for (int i = 0; i < kept; i++)
        {
            int from = count - kept + i;
            var target = new Span<byte>(StateAt(stretch.Row, i - kept, stretch.Channel, size), bytes);
            if (from < begin)
            {
                target.Clear();
            }
            else
            {
                // Inputs of the state move to an earlier place, so those that follow are still there.
                new Span<byte>(from < 0 ? StateAt(stretch.Row, from, stretch.Channel, size) : X.At(stretch.Row, from, stretch.Channel), bytes).CopyTo(target);
            }
        }
    }

    /// <summary>An input of the state; places before the first are negative.</summary>
    private readonly byte* StateAt(int row, int place, int channel, int size)
        => State + ((((nint)row * (Beginnings.Taps - 1)) + place + Beginnings.Taps - 1) * Cut.Width + channel) * size;
}
