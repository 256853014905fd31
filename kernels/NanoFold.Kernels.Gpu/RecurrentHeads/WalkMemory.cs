using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.RecurrentHeads;

/// <summary>What a walk over time has in shared memory, in either direction.</summary>
internal struct WalkMemory
{
    /// <summary>Columns of values of a group, elements of keys at once, and fours of places.</summary>
    public const int Columns = 64, Slice = 64, Fours = PlaceBlock.Places / 4;

    /// <summary>Fours between elements of a key.</summary>
    public const int Quarter = PlaceBlock.Stride / 4;

    /// <summary>Elements of keys by <see cref="PlaceBlock.Stride"/>: q, k, and sums of log decays of elements.</summary>
    public ArrayView<float> Q, K, Logs;

    /// <summary>[16, Columns]: what is written, or its gradient; and what is read, or the gradient of y.</summary>
    public ArrayView<float> Written, Read;

    /// <summary>[16, 16]: see <see cref="PlaceBlock.AddScores"/>.</summary>
    public ArrayView<float> Reads, Meets;

    public PlaceBlock Block;

    public static WalkMemory Allocate() => new()
    {
        Q = SharedMemory.Allocate<float>(Slice * PlaceBlock.Stride),
        K = SharedMemory.Allocate<float>(Slice * PlaceBlock.Stride),
        Logs = SharedMemory.Allocate<float>(Slice * PlaceBlock.Stride),
        Written = SharedMemory.Allocate<float>(PlaceBlock.Places * Columns),
        Read = SharedMemory.Allocate<float>(PlaceBlock.Places * Columns),
        Reads = SharedMemory.Allocate<float>(PlaceBlock.Places * PlaceBlock.Places),
        Meets = SharedMemory.Allocate<float>(PlaceBlock.Places * PlaceBlock.Places),
        Block = PlaceBlock.Allocate(),
    };

    /// <summary>Element i of the own columns of a state.</summary>
    public static long Element<T>(in HeadsView<T> heads, int i, int column, int columns)
        where T : unmanaged, IElement<T>
        => (long)(i / columns) * heads.ValueWidth + column + i % columns;

    /// <summary>Loads a slice of q, k and decays.</summary>
    public static void Load<T>(in WalkMemory m, in HeadsView<T> heads, int batch, int head, int first, int count, int slice, int width)
        where T : unmanaged, IElement<T>
    {
        int keyHead = head / heads.GroupHeads;
        Group.Barrier();
        PlaceBlock.LoadRows(m.Q, heads.Q, batch, keyHead, first, count, slice, width, 1f);
        PlaceBlock.LoadRows(m.K, heads.K, batch, keyHead, first, count, slice, width, 1f);
        if (heads.IsVector != 0)
        {
            PlaceBlock.LoadSums(m.Logs, heads, batch, head, first, count, slice, width);
        }

        Group.Barrier();
    }

    /// <summary>Loads a slice and adds its scores; then decays of elements are in k up to the last place (<paramref name="toEnd"/>), or in q and k from the first on.</summary>
    public static void Score<T>(in WalkMemory m, in HeadsView<T> heads, int batch, int head, int first, int count, int slice, int width, int toEnd)
        where T : unmanaged, IElement<T>
    {
        Load(m, heads, batch, head, first, count, slice, width);
        PlaceBlock.AddScores(m.Block, m.Q, m.K, m.Logs, width, heads.IsVector, heads.Beta.Has, slice == 0 ? 1 : 0, m.Reads, m.Meets);
        if (heads.IsVector != 0)
        {
            Group.Barrier();
            Fade(m, width, toEnd);
            Group.Barrier();
        }
    }

    /// <summary>Loads a slice again where it is not as it was read; decays as in <see cref="Score"/>.</summary>
    public static void Again<T>(in WalkMemory m, in HeadsView<T> heads, int batch, int head, int first, int count, int slice, int width, int toEnd)
        where T : unmanaged, IElement<T>
    {
        if (heads.KeyWidth > Slice || heads.IsVector != 0)
        {
            Load(m, heads, batch, head, first, count, slice, width);
            if (heads.IsVector != 0)
            {
                Fade(m, width, toEnd);
                Group.Barrier();
            }
        }
    }

    private static void Fade(in WalkMemory m, int width, int toEnd)
    {
        PlaceBlock.FadeRows(m.K, m.Logs, width, toEnd);
        if (toEnd == 0)
        {
            PlaceBlock.FadeRows(m.Q, m.Logs, width, 0);
        }
    }
}
