using ILGPU;

namespace NanoFold.Kernels.Gpu.RecurrentHeads;

/// <summary>What <see cref="HeadGradientWork{T}"/> has in shared memory; elements of keys and values by <see cref="PlaceBlock.Stride"/>.</summary>
internal struct HeadGradientMemory
{
    private const int Slice = HeadGradientTiles.Slice, Rows = Slice * PlaceBlock.Stride, Tile = Slice * HeadGradientTiles.TileStride, Pairs = PlaceBlock.Places * PlaceBlock.Places;

    /// <summary>Elements of keys: q, k, sums of log decays; then the parts of gradients that come by the states: of q, of k as reader, of k as writer.</summary>
    public ArrayView<float> Q, K, Logs, DQ, DReader, DWriter;

    /// <summary>Elements of values: y', a, u.</summary>
    public ArrayView<float> DY, A, U;

    /// <summary>Tiles of the states and of their gradients.</summary>
    public ArrayView<float> S, G;

    /// <summary>[16, 16]: y'_t · u_s and a_t · u_s.</summary>
    public ArrayView<float> Reads, Meets;

    /// <summary>For each element of the key Σ G ⊙ S, and for each place parts of the gradients of decay and β.</summary>
    public ArrayView<float> Both, DSums, DEnds, DBeta;

    public static HeadGradientMemory Allocate() => new()
    {
        Q = SharedMemory.Allocate<float>(Rows),
        K = SharedMemory.Allocate<float>(Rows),
        Logs = SharedMemory.Allocate<float>(Rows),
        DQ = SharedMemory.Allocate<float>(Rows),
        DReader = SharedMemory.Allocate<float>(Rows),
        DWriter = SharedMemory.Allocate<float>(Rows),
        DY = SharedMemory.Allocate<float>(Rows),
        A = SharedMemory.Allocate<float>(Rows),
        U = SharedMemory.Allocate<float>(Rows),
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
