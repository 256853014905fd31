using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Rows;

/// <summary>The k largest of a row by k passes over it, a row a thread: for short rows and few of them wanted (a router's).</summary>
internal struct TopKScanWork<T> : IGpuWork<TopKScanWork<T>>
    where T : unmanaged, IElement<T>
{
    public TopKRows<T> Rows;

    public static void Run(TopKScanWork<T> w)
    {
        int row = Grid.IdxX * Group.DimX + Group.IdxX;
        if (row >= w.Rows.Count)
        {
            return;
        }

        ulong before = ulong.MaxValue;
        for (int rank = 0; rank < w.Rows.K; rank++)
        {
            ulong best = 0;
            for (int column = 0; column < w.Rows.Width; column++)
            {
                ulong key = TopKRows<T>.Key(w.Rows, row, column);
                best = key < before && key > best ? key : best;
            }

            TopKRows<T>.Write(w.Rows, row, rank, best);
            before = best;
        }
    }
}

/// <summary>
/// The k largest of a row, a row a group. Elements larger than the least one kept are gathered in shared memory, in any order; when it is full it is sorted
/// (bitonic) and all but the first k are dropped. Keys differ, so the result does not depend on the order in which they came.
/// </summary>
internal struct TopKSortWork<T> : IGpuWork<TopKSortWork<T>>
    where T : unmanaged, IElement<T>
{
    /// <summary>Keys in shared memory: 16 KB.</summary>
    public const int Room = 2048;

    /// <summary>Most that can be kept: the rest is room for what is new.</summary>
    public const int MostKept = Room / 2;

    public TopKRows<T> Rows;

    public static void Run(TopKSortWork<T> w)
    {
        ArrayView<ulong> keys = SharedMemory.Allocate<ulong>(Room);
        ArrayView<int> count = SharedMemory.Allocate<int>(1);
        int row = Grid.IdxX, thread = Group.IdxX, threads = Group.DimX, k = w.Rows.K;
        ulong least = 0;
        if (thread == 0)
        {
            count[0] = 0;
        }

        Group.Barrier();
        for (int first = 0; first < w.Rows.Width; first += threads)
        {
            int column = first + thread;
            if (column < w.Rows.Width)
            {
                ulong key = TopKRows<T>.Key(w.Rows, row, column);
                if (key > least)
                {
                    keys[Atomic.Add(ref count[0], 1)] = key;
                }
            }

            Group.Barrier();
            int held = count[0];
            Group.Barrier();
            if (held > Room - threads || first + threads >= w.Rows.Width)
            {
                Sort(keys, held);
                if (held >= k)
                {
                    least = keys[k - 1];
                }

                if (thread == 0)
                {
                    count[0] = IntrinsicMath.Min(held, k);
                }

                Group.Barrier();
            }
        }

        for (int rank = thread; rank < k; rank += threads)
        {
            TopKRows<T>.Write(w.Rows, row, rank, keys[rank]);
        }
    }

    /// <summary>Largest first; all threads call.</summary>
    private static void Sort(ArrayView<ulong> keys, int held)
    {
        int threads = Group.DimX, length = 1;
        while (length < held)
        {
            length <<= 1;
        }

        for (int i = held + Group.IdxX; i < length; i += threads)
        {
            keys[i] = 0;
        }

        Group.Barrier();
        for (int size = 2; size <= length; size <<= 1)
        {
            for (int step = size >> 1; step > 0; step >>= 1)
            {
                for (int pair = Group.IdxX; pair < length >> 1; pair += threads)
                {
                    int i = 2 * pair - (pair & (step - 1)), j = i + step;
                    ulong a = keys[i], b = keys[j];
                    if ((i & size) == 0 ? a < b : a > b)
                    {
                        keys[i] = b;
                        keys[j] = a;
                    }
                }

                Group.Barrier();
            }
        }
    }
}

/// <summary>Operands of top-k: x [N, C], values and indices [N, k].</summary>
internal struct TopKRows<T>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> X, Values;
    public ArrayView<int> Indices;
    public long XRow, XColumn, ValueRow, ValueColumn, IndexRow, IndexColumn;
    public int Count, Width, K;

    public static ulong Key(in TopKRows<T> rows, int row, int column) => TopKKey.Of(T.Read(rows.X[row * rows.XRow + column * rows.XColumn]), column);

    public static void Write(in TopKRows<T> rows, int row, int rank, ulong key)
    {
        rows.Values[row * rows.ValueRow + rank * rows.ValueColumn] = T.Write(TopKKey.Value(key));
        rows.Indices[row * rows.IndexRow + rank * rows.IndexColumn] = TopKKey.Index(key);
    }
}

/// <summary>
/// A value and its index as one number that sorts as top-k does: by value, and among equals the smaller index larger. What is not a number counts as −∞. No key is 0.
/// </summary>
internal static class TopKKey
{
    public static ulong Of(float value, int index)
    {
        // −0 is 0.
        uint bits = Interop.FloatAsInt(Bits.IsNaN(value) ? float.NegativeInfinity : value == 0 ? 0f : value);
        uint ordered = (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
        return ((ulong)ordered << 32) | (uint)~index;
    }

    public static float Value(ulong key)
    {
        uint ordered = (uint)(key >> 32);
        return Interop.IntAsFloat((ordered & 0x80000000u) != 0 ? ordered & 0x7fffffffu : ~ordered);
    }

    public static int Index(ulong key) => ~(int)(uint)key;
}
