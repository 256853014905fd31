using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Time;

/// <summary>A tensor [B, T, C] as kernels see it, any dimension broadcast; <see cref="Has"/> is 0 for none.</summary>
internal struct SequenceView<T>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> Values;
    public long Row, Place, Channel;
    public int Has;

    public static SequenceView<T> Of(GpuContext context, in View x, in Layout shape)
    {
        if (x.IsNone)
        {
            return new() { Values = context.View<T>(x) };
        }

        Layout layout = x.Layout.BroadcastTo(shape);
        return new() { Values = context.View<T>(x), Row = layout.Stride(0), Place = layout.Stride(1), Channel = layout.Stride(2), Has = 1 };
    }

    public static long At(in SequenceView<T> x, int row, int place, int channel) => row * x.Row + place * x.Place + channel * x.Channel;

    public static float Read(in SequenceView<T> x, int row, int place, int channel) => T.Read(x.Values[At(x, row, place, channel)]);

    public static void Write(in SequenceView<T> x, int row, int place, int channel, float value) => x.Values[At(x, row, place, channel)] = T.Write(value);

    /// <summary>Writes, or adds where <paramref name="accumulate"/> is not 0.</summary>
    public static void Put(in SequenceView<T> x, int row, int place, int channel, float value, int accumulate)
    {
        long at = At(x, row, place, channel);
        x.Values[at] = T.Write(accumulate != 0 ? T.Read(x.Values[at]) + value : value);
    }
}

/// <summary>A state [B, C], contiguous, of the activations' type or in single precision; or none.</summary>
internal struct StateView<T>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> Own;
    public ArrayView<float> Single;
    public int Has, IsSingle;

    public static StateView<T> Of(GpuContext context, in View state) => new()
    {
        Own = context.View<T>(state.IsNone || state.Type == DType.Float32 ? default : state),
        Single = context.View<float>(state.IsNone || state.Type != DType.Float32 ? default : state),
        Has = state.IsNone ? 0 : 1,
        IsSingle = !state.IsNone && state.Type == DType.Float32 ? 1 : 0,
    };

    /// <summary>0 for none.</summary>
    public static float Read(in StateView<T> state, long at)
    {
        if (state.Has == 0)
        {
            return 0;
        }

        return state.IsSingle != 0 ? state.Single[at] : T.Read(state.Own[at]);
    }

    /// <summary>Nothing happens for none.</summary>
    public static void Put(in StateView<T> state, long at, float value, int accumulate)
    {
        if (state.Has == 0)
        {
            return;
        }

        float sum = accumulate != 0 ? Read(state, at) + value : value;
        if (state.IsSingle != 0)
        {
            state.Single[at] = sum;
        }
        else
        {
            state.Own[at] = T.Write(sum);
        }
    }
}

/// <summary>Where rows begin and end: who goes on from the place before, and how many places of a row move.</summary>
internal struct Seams<T>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> Continues;
    public ArrayView<int> Counts;
    public int HasContinues, HasCounts, Time;

    public static Seams<T> Of(GpuContext context, in View continues, in View counts, int time) => new()
    {
        Continues = context.View<T>(continues), Counts = context.View<int>(counts),
        HasContinues = continues.IsNone ? 0 : 1, HasCounts = counts.IsNone ? 0 : 1, Time = time,
    };

    public static int Count(in Seams<T> seams, int row)
    {
        if (seams.HasCounts == 0)
        {
            return seams.Time;
        }

        return IntrinsicMath.Clamp(seams.Counts[row], 0, seams.Time);
    }

    /// <summary>What a place multiplies the state with that comes from the one before.</summary>
    public static float Carries(in Seams<T> seams, int row, int place)
    {
        if (seams.HasContinues == 0)
        {
            return 1;
        }

        return T.Read(seams.Continues[(long)row * seams.Time + place]);
    }
}
