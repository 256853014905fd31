using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Gpu.Time.Selective;

/// <summary>
/// What the kernels of a selective scan share. A group has some channels of a row and some numbers of their states, a thread each, channels side by side, and goes
/// through time in tiles of places; what channels and numbers have in common lies in shared memory.
/// </summary>
internal struct SelectiveTile<T>
    where T : unmanaged, IElement<T>
{
    /// <summary>Places of a tile: a divisor of those from one kept state to the next.</summary>
    public const int Places = 16;

    /// <summary>Channels, and numbers, of a group at most.</summary>
    public const int Side = 16;

    public SequenceView<T> X, Delta, In, Out;
    public Seams<T> Seams;
    public ArrayView<T> LogDecay, Skip;
    public int Width, States, Channels, Numbers;

    /// <summary>A of a channel and a number, 0 beyond.</summary>
    public static float Decay(in SelectiveTile<T> w, int channel, int number)
    {
        float decay = 0;
        if (channel < w.Width && number < w.States)
        {
            decay = -GpuLane.Exp(new(T.Read(w.LogDecay[(long)channel * w.States + number]))).Value;
        }

        return decay;
    }

    /// <summary>softplus(delta), 0 beyond the width or the places that there are.</summary>
    public static float Step(in SelectiveTile<T> w, int row, int place, int channel, int end)
    {
        float step = 0;
        if (place < end && channel < w.Width)
        {
            step = LaneFormulas.Softplus(new GpuLane(SequenceView<T>.Read(w.Delta, row, place, channel))).Value;
        }

        return step;
    }

    /// <summary>An element of a tensor [B, T, C], 0 beyond.</summary>
    public static float Read(in SequenceView<T> x, int row, int place, int index, int end, int length)
    {
        float value = 0;
        if (place < end && index < length)
        {
            value = SequenceView<T>.Read(x, row, place, index);
        }

        return value;
    }

    public static float Power(float step, float decay) => GpuLane.Exp(new(step * decay)).Value;
}
