using System.Runtime.CompilerServices;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Cpu.MatMul.Tiles;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Time;

/// <summary>How a recurrence goes through time: rows and channels cut into items by shape, the order of places, where something begins.</summary>
internal readonly unsafe struct Walk
{
    /// <summary>Channels of an item are a multiple of so many: four lanes of the widest kind.</summary>
    public const int Channels = 64;

    /// <summary>Channels of an item at most.</summary>
    public const int MostChannels = 2048;

    /// <summary>
    /// Channels of an item at least, where there are as many: whole rows as far as possible, which the machine fetches ahead by itself. Pieces of 256 channels in rows
    /// of 768 come from memory at a third of that rate.
    /// </summary>
    private const int LeastChannels = 1024;

    private const int WantedItems = 16;

    private readonly int _channels;
    private readonly int _blocks;
    private readonly byte* _continues;
    private readonly int* _counts;

    /// <param name="shape">[B, T, C].</param>
    /// <param name="continues">See <see cref="Carries"/>.</param>
    /// <param name="counts">Places that move, or none.</param>
    /// <param name="reverse">From the last place to the first.</param>
    /// <param name="size">Bytes of an element.</param>
    /// <param name="channels">Channels of an item; 0 for what suits work that memory bounds.</param>
    public Walk(in Layout shape, in View continues, in View counts, bool reverse, int size, int channels = 0)
    {
        Batch = shape[0];
        Time = shape[1];
        Width = shape[2];
        Reverse = reverse;
        _continues = (byte*)continues.Address;
        _counts = counts.Ints;
        Size = size;
        _channels = channels > 0 ? channels : (int)Math.Clamp(((long)Batch * Width / WantedItems + Channels - 1) / Channels * Channels, LeastChannels, MostChannels);
        _blocks = (Width + _channels - 1) / _channels;
    }

    public int Batch { get; }

    public int Time { get; }

    public int Width { get; }

    public bool Reverse { get; }

    /// <summary>Bytes of an element.</summary>
    public int Size { get; }

    public long Items => (long)Batch * _blocks;

    public void Item(long item, out int row, out int channel, out int channels)
    {
        row = (int)(item / _blocks);
        channel = (int)(item - (long)row * _blocks) * _channels;
        channels = Math.Min(_channels, Width - channel);
    }

    /// <summary>Places of a row that move.</summary>
    public int Count(int row) => _counts is null ? Time : Math.Clamp(_counts[row], 0, Time);

    /// <summary>The place of step <paramref name="step"/> of <paramref name="count"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Place(int step, int count) => Reverse ? count - 1 - step : step;

    /// <summary>What the state that comes to a step is multiplied with.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public double Carries(int row, int step, int count)
    {
        // In reverse it is the place before, one further on in time, that says whether it goes on from here.
        if (_continues is null || (Reverse && step == 0))
        {
            return 1;
        }

        long at = (long)row * Time + (Reverse ? count - step : step);
        return Size == sizeof(double) ? ((double*)_continues)[at] : ((float*)_continues)[at];
    }

    /// <summary>A row of states [B, C], from <paramref name="channel"/> on; null for none.</summary>
    public byte* State(byte* states, int row, int channel = 0) => states is null ? null : states + ((nint)row * Width + channel) * Size;
}

/// <summary>Where the channels of each place of a tensor [B, T, C] lie; strides in bytes.</summary>
internal readonly unsafe struct Steps
{
    private readonly byte* _address;
    private readonly nint _row;
    private readonly nint _place;
    private readonly nint _channel;

    /// <param name="x">Broadcast to <paramref name="shape"/>; or none.</param>
    public Steps(in View x, in Layout shape)
    {
        if (x.IsNone)
        {
            return;
        }

        Layout layout = x.Layout.BroadcastTo(shape);
        int size = x.Type.Size();
        _address = (byte*)x.Address;
        _row = (nint)layout.Stride(0) * size;
        _place = (nint)layout.Stride(1) * size;
        _channel = layout[2] > 1 && layout.Stride(2) != 0 ? size : 0;
    }

    public bool IsNone => _address is null;

    /// <summary>Bytes between neighbors in time.</summary>
    public nint Place => _place;

    /// <summary>One value for all channels.</summary>
    public bool IsOneForAll => _channel == 0;

    /// <summary>As <see cref="At"/>, or null where there is none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public byte* AtOrNull(int row, int place, int channel) => _address is null ? null : At(row, place, channel);

    /// <summary>
    /// Asks for the line of a channel of a place that is still to come, which may be none: pieces of rows lie apart, so that the machine does not see by itself what comes.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Fetch(int row, int place, int channel)
    {
        if (_address is not null)
        {
            Prefetch.Line(At(row, place, channel));
        }
    }

    /// <summary>The first channel of an item at a place.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public byte* At(int row, int place, int channel) => _address + row * _row + place * _place + channel * _channel;
}

/// <summary>How a lane of a factor is read: channel by channel, or one value for all.</summary>
internal unsafe interface IFactor<V>
    where V : struct, ICpuLane<V>
{
    static abstract V Load(void* source, nint index, int count);
}

internal readonly unsafe struct PerChannel<V, P> : IFactor<V>
    where V : struct, ICpuLane<V>
    where P : struct, IPiece<V>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load(void* source, nint index, int count) => P.Load(source, index, count);
}

internal readonly unsafe struct OneForAll<V> : IFactor<V>
    where V : struct, ICpuLane<V>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load(void* source, nint index, int count) => V.Splat(source, 0);
}
