using ILGPU;
using NanoFold.Kernels.Calls.RecurrentHeads;
using NanoFold.Kernels.Gpu.Attention;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Time;

namespace NanoFold.Kernels.Gpu.RecurrentHeads;

/// <summary>What recurrent heads are given, as kernels walk it.</summary>
internal struct HeadsView<T>
    where T : unmanaged, IElement<T>
{
    public HeadView<T> Q, K, V;
    public PlaceView<T> Decay, Beta;
    public Seams<T> Seams;
    public int Heads, GroupHeads, KeyWidth, ValueWidth, IsVector;
    public float Scale;

    /// <summary>Elements of a state.</summary>
    public readonly long Size => (long)KeyWidth * ValueWidth;

    public static HeadsView<T> Of(GpuContext context, in RecurrentHeadsShape shape, in RecurrentHeadsArgs args, in View counts) => new()
    {
        Q = HeadView<T>.Of(context, args.Q),
        K = HeadView<T>.Of(context, args.K),
        V = HeadView<T>.Of(context, args.V),
        Decay = PlaceView<T>.Of(context, args.Decay),
        Beta = PlaceView<T>.Of(context, args.Beta),
        Seams = Seams<T>.Of(context, args.Continues, counts, shape.Time),
        Heads = shape.Heads,
        GroupHeads = shape.Heads / shape.Groups,
        KeyWidth = shape.KeyWidth,
        ValueWidth = shape.ValueWidth,
        IsVector = shape.Decay == HeadDecay.Vector ? 1 : 0,
        Scale = (float)args.Scale,
    };
}

/// <summary>Numbers of places and heads, of the activations' type or in single precision: [B, T, H], [B, T, H, N], or [H] for all places; or none.</summary>
internal struct PlaceView<T>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> Own;
    public ArrayView<float> Single;
    public long Batch, Time, Head;
    public int Has, IsSingle;

    public static PlaceView<T> Of(GpuContext context, in View view)
    {
        bool isSingle = !view.IsNone && view.Type == DType.Float32, isForAll = view.IsNone || view.Layout.Rank == 1;
        return new()
        {
            Own = context.View<T>(isSingle ? default : view),
            Single = context.View<float>(isSingle ? view : default),
            Batch = isForAll ? 0 : view.Layout.Stride(0),
            Time = isForAll ? 0 : view.Layout.Stride(1),
            Head = view.IsNone ? 0 : view.Layout.Stride(isForAll ? 0 : 2),
            Has = view.IsNone ? 0 : 1,
            IsSingle = isSingle ? 1 : 0,
        };
    }

    public static float Read(in PlaceView<T> view, int batch, int time, int head, int element)
    {
        long at = batch * view.Batch + time * view.Time + head * view.Head + element;
        return view.IsSingle != 0 ? view.Single[at] : T.Read(view.Own[at]);
    }

    /// <summary>Writes, or adds where <paramref name="accumulate"/> is not 0; nothing for none.</summary>
    public static void Put(in PlaceView<T> view, int batch, int time, int head, int element, float value, int accumulate)
    {
        if (view.Has == 0)
        {
            return;
        }

        long at = batch * view.Batch + time * view.Time + head * view.Head + element;
        float sum = accumulate != 0 ? Read(view, batch, time, head, element) + value : value;
        if (view.IsSingle != 0)
        {
            view.Single[at] = sum;
        }
        else
        {
            view.Own[at] = T.Write(sum);
        }
    }
}
