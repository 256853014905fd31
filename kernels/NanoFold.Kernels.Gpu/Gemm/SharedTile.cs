using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm;

/// <summary>
/// An operand's tile in shared memory, in rows of <see cref="Pitch"/> bytes as it is stored in global memory: along the depth, or along the tile's own rows or columns.
/// The 16-byte chunks of a row are permuted by an exclusive or with the row's number, so that neither the copies nor the loads of fragments meet in a bank.
/// </summary>
internal readonly record struct SharedTile(GpuType Type, bool AlongDepth, int Extent, int DepthBytes)
{
    /// <summary>Elements of a chunk of 16 bytes.</summary>
    public int ChunkElements => 16 / Type.Size();

    /// <summary>Steps of the depth in the tile.</summary>
    public int Depth => DepthBytes / Type.Size();

    public int Rows => AlongDepth ? Extent : Depth;

    public int Pitch => AlongDepth ? DepthBytes : Extent * Type.Size();

    public int Bytes => Extent * DepthBytes;

    /// <summary>What a row's chunks are permuted by.</summary>
    public Reg Permutation(PtxWriter w, Reg row)
        => !AlongDepth && Type == GpuType.Float32 ? w.Shl(w.And(row, 3), 1)
            : Pitch == 64 ? w.And(w.Shr(row, 1), 3)
            : w.And(row, 7);

    /// <summary>Byte offset of a chunk in the tile.</summary>
    public Reg Offset(PtxWriter w, Reg row, Reg chunk)
        => w.Mad(row, Pitch, w.Shl(w.Xor(chunk, Permutation(w, row)), 4));
}
