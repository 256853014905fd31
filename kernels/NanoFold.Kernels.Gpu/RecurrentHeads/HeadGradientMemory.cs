using ILGPU;

namespace NanoFold.Kernels.Gpu.RecurrentHeads;

/// <summary>What <see cref="HeadGradientWork{T}"/> has in shared memory; elements of keys and values by <see cref="PlaceBlock.Stride"/>.</summary>
internal struct HeadGradientMemory
{
    private const int Slice = HeadGradientTiles.Slice, Rows = Slice * PlaceBlock.Stride, Tile = Slice * HeadGradientTiles.TileStride, Pairs = PlaceBlock.Places * PlaceBlock.Places;

    /// <summary>Elements of values: y', a, u.</summary>
    public ArrayView<float> DY, A, U;

    /// <summary>Elements of keys, in the place of those once they have been read: q, k, sums of log decays.</summary>
    public ArrayView<float> Q, K, Logs;

    /// <summary>The parts of gradients that come by the states: of q, of k as reader, of k as writer.</summary>
    public ArrayView<float> DQ, DReader, DWriter;

    /// <summary>Tiles of the states and of their gradients.</summary>
    public ArrayView<float> S, G;

    /// <summary>[16, 16]: y'_t · u_s and a_t · u_s.</summary>
    public ArrayView<float> Reads, Meets;

    /// <summary>For each element of the key Σ G ⊙ S, and for each place parts of the gradients of decay and β.</summary>
    public ArrayView<float> Both, DSums, DEnds, DBeta;

    public static HeadGradientMemory Allocate()
    {
        ArrayView<float> first = SharedMemory.Allocate<float>(Rows), second = SharedMemory.Allocate<float>(Rows), third = SharedMemory.Allocate<float>(Rows);
        return new()
        {
            DY = first,
            A = second,
            U = third,
            Q = first,
            K = second,
            Logs = third,
            DQ = SharedMemory.Allocate<float>(Rows),
            DReader = SharedMemory.Allocate<float>(Rows),
            DWriter = SharedMemory.Allocate<float>(Rows),
            S = SharedMemory.Allocate<float>(Tile),
            G = SharedMemory.Allocate<float>(Tile),
            Reads = SharedMemory.Allocate<float>(Pairs),
            Meets = SharedMemory.Allocate<float>(Pairs),
            Both = SharedMemory.Allocate<float>(Slice),
            DSums = SharedMemory.Allocate<float>(PlaceBlock.Places),
            DEnds = SharedMemory.Allocate<float>(PlaceBlock.Places),
            DBeta = SharedMemory.Allocate<float>(PlaceBlock.Places),
        };
    }
}
