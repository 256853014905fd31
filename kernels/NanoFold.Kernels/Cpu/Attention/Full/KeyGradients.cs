using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Full;

/// <summary>Sums of dk and dv over queries, [keys, padded D] each.</summary>
internal readonly unsafe struct KeyGradients(void* key, void* value, int keyRow, int valueRow)
{
    /// <summary>Elements between rows.</summary>
    public int KeyRow { get; } = keyRow;

    public int ValueRow { get; } = valueRow;

    /// <summary>Sums that a worker owns.</summary>
    public static KeyGradients Take(ref ScratchCursor cursor, in AttentionProblem problem, LaneSize lane)
    {
        int keyRow = GradientPlan.Padded(problem.Depth), valueRow = GradientPlan.Padded(problem.ValueDepth);
        void* key = cursor.Take((long)problem.Keys * keyRow * lane.Bytes);
        return new KeyGradients(key, cursor.Take((long)problem.Keys * valueRow * lane.Bytes), keyRow, valueRow);
    }

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
