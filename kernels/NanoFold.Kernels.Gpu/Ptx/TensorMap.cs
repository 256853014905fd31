using System.Runtime.CompilerServices;

namespace NanoFold.Kernels.Gpu.Ptx;

/// <summary>A matrix in global memory and the boxes it is copied in: rows of 128 bytes, swizzled in shared memory.</summary>
/// <param name="Type">Of its elements.</param>
/// <param name="Address">A multiple of 16.</param>
/// <param name="Columns">Elements of a row.</param>
/// <param name="Rows">There are.</param>
/// <param name="RowBytes">From a row to the next, a multiple of 16.</param>
/// <param name="BoxRows">Of a box; its columns are <see cref="BoxWidth"/>.</param>
internal readonly record struct TensorMapShape(GpuType Type, long Address, int Columns, int Rows, long RowBytes, int BoxRows)
{
    /// <summary>Matrices of one map, as heads of batch rows: how many, and bytes from one to the next. 0: the map has one matrix.</summary>
    public int Heads { get; init; }

    /// <summary>A multiple of 16.</summary>
    public long HeadBytes { get; init; }

    public int Batches { get; init; }

    /// <summary>A multiple of 16.</summary>
    public long BatchBytes { get; init; }

    /// <summary>128 bytes of 16-bit elements.</summary>
    public const int BoxColumns = 64;

    /// <summary>Columns of a box: 128 bytes of them.</summary>
    public int BoxWidth => PtxWgmma.RowBytes / Type.Size();

    /// <summary>Rows that a box may have.</summary>
    public const int MostBoxRows = 256;

    /// <summary>Whether a matrix can be copied so: rows begin at multiples of 16 bytes and do not overlap.</summary>
    public static bool Allows(GpuType type, long address, long rowBytes, int columns, int rows)
        => (address | rowBytes) % 16 == 0 && (rows == 1 || rowBytes >= (long)columns * type.Size());
}

/// <summary>What the driver makes of a shape: opaque, 128 bytes, at a multiple of 64 among a kernel's arguments.</summary>
[InlineArray(Longs)]
internal struct TensorMap
{
    public const int Longs = 16;

    private ulong _first;
}
