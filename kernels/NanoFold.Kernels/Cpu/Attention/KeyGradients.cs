using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention;

/// <summary>Sums of dk and dv over queries, [keys, padded D] each.</summary>
internal readonly unsafe struct KeyGradients(void* key, void* value, int keyRow, int valueRow)
{
    /// <summary>Elements between rows.</summary>
    public int KeyRow { get; } = keyRow;

    public int ValueRow { get; } = valueRow;

    public void* Key<V>(int index)
        where V : struct, ICpuLane<V>
        => Element.At<V>(key, (nint)index * KeyRow);

    public void* Value<V>(int index)
        where V : struct, ICpuLane<V>
        => Element.At<V>(value, (nint)index * ValueRow);

    public void Zero<V>(int first, int end)
        where V : struct, ICpuLane<V>
    {
        if (first < end)
        {
            HeadRow.Zero<V>(Key<V>(first), (nint)(end - first) * KeyRow);
            HeadRow.Zero<V>(Value<V>(first), (nint)(end - first) * ValueRow);
        }
    }

    /// <summary>Adds the sums of one key of another part.</summary>
    public void Add<V>(int index, in KeyGradients other)
        where V : struct, ICpuLane<V>
    {
        Add<V>(Key<V>(index), other.Key<V>(index), KeyRow);
        Add<V>(Value<V>(index), other.Value<V>(index), ValueRow);
    }

    private static void Add<V>(void* target, void* source, int count)
        where V : struct, ICpuLane<V>
    {
        for (nint i = 0; i < count; i += V.Width)
        {
            V.Store(target, i, V.Load(target, i) + V.Load(source, i));
        }
    }
}
