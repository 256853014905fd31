using System.Runtime.InteropServices;
using NanoFold.Kernels.Gpu.Ptx;
using Arg = NanoFold.Gpu.Tests.Ptx.PtxText.Arg;

namespace NanoFold.Gpu.Tests.Ptx.Hopper;

/// <summary>A box of rows of 128 bytes in shared memory, and its place in the matrix, which of several has a number.</summary>
internal sealed record TensorBox(TensorMapShape Map, bool Swizzles, int Shared, int X, int Y, int Head, int Batch)
{
    private const int RowBytes = PtxWgmma.RowBytes, ChunkBytes = 16;

    public int Bytes => Map.BoxRows * RowBytes;

    public int[] Chunks { get; } = [.. Enumerable.Range(Shared / ChunkBytes, Map.BoxRows * RowBytes / ChunkBytes)];

    /// <param name="at">Its place in shared memory.</param>
    /// <param name="map">Address of the map, and coordinates.</param>
    public static TensorBox Read(PtxMachine machine, PtxWarp w, int lane, int at, Arg[] map)
    {
        ulong address = PtxDecoder.Value(w, map[0], lane);
        if (address % 64 != 0)
        {
            throw new InvalidOperationException($"a tensor map at {address} among the arguments");
        }

        (TensorMapShape shape, bool swizzles) = FakeTensorMap.Decode(MemoryMarshal.Cast<byte, ulong>(machine.Arguments.AsSpan((int)address, 128)));
        if (at % 1024 != 0 || at + shape.BoxRows * RowBytes > machine.Shared.Length)
        {
            throw new InvalidOperationException($"a swizzled box at {at} of {machine.Shared.Length} bytes of shared memory");
        }

        if (map.Length != (shape.Heads > 0 ? 5 : 3))
        {
            throw new InvalidOperationException($"{map.Length - 1} coordinates of a tensor map of {(shape.Heads > 0 ? 4 : 2)} dimensions");
        }

        int[] place = [.. map[1..].Select(coordinate => (int)PtxDecoder.Value(w, coordinate, lane))];
        return new TensorBox(shape, swizzles, at, place[0], place[1], place.Length > 2 ? place[2] : 0, place.Length > 2 ? place[3] : 0);
    }

    /// <summary>Of each 16 bytes their place in shared memory, the address in the matrix, and how many bytes of it there are.</summary>
    public void ForEachChunk(Action<int, long, int> step)
    {
        int size = Map.Type.Size(), elements = ChunkBytes / size;
        long matrix = Map.Address + Head * Map.HeadBytes + Batch * Map.BatchBytes;
        bool isThere = Map.Heads == 0 || (Head >= 0 && Head < Map.Heads && Batch >= 0 && Batch < Map.Batches);
        for (int row = 0; row < Map.BoxRows; row++)
        {
            for (int chunk = 0; chunk < RowBytes / ChunkBytes; chunk++)
            {
                int at = Shared + row * RowBytes + ChunkBytes * chunk, x = X + elements * chunk, y = Y + row;
                int inside = isThere && y >= 0 && y < Map.Rows && x >= 0 ? Math.Clamp(Map.Columns - x, 0, elements) : 0;
                step(Swizzles ? at ^ (at >> 3 & 0x70) : at, matrix + y * Map.RowBytes + (long)size * x, size * inside);
            }
        }
    }
}
