using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Gpu.Tests.Ptx.Hopper;

/// <summary>A tensor map as the machine reads it: the shape in plain numbers, where a driver would encode it.</summary>
internal static class FakeTensorMap
{
    private const ulong Mark = 0x7465_6e73_6f72_6d61;

    /// <param name="swizzles">Whether chunks of rows are crossed; without it, to see that the machine notices.</param>
    public static TensorMap Encode(in TensorMapShape shape, bool swizzles = true)
    {
        if (!TensorMapShape.Allows(shape.Type, shape.Address, shape.RowBytes, shape.Columns, shape.Rows) || shape.BoxRows is < 1 or > TensorMapShape.MostBoxRows || shape.Columns < 1 || shape.Rows < 1
            || (shape.Heads > 0 && ((shape.HeadBytes | shape.BatchBytes) % 16 != 0 || shape.HeadBytes <= 0 || shape.BatchBytes <= 0 || shape.Batches < 1)))
        {
            throw new ArgumentException($"no map: {shape}");
        }

        var map = default(TensorMap);
        ReadOnlySpan<ulong> numbers =
            [Mark, (ulong)shape.Address, (ulong)shape.Columns, (ulong)shape.Rows, (ulong)shape.RowBytes, (ulong)shape.BoxRows, (ulong)shape.Type, swizzles ? 1u : 0u,
                (ulong)shape.Heads, (ulong)shape.HeadBytes, (ulong)shape.Batches, (ulong)shape.BatchBytes];
        numbers.CopyTo(map);
        return map;
    }

    public static (TensorMapShape Shape, bool Swizzles) Decode(ReadOnlySpan<ulong> map)
    {
        if (map[0] != Mark)
        {
            throw new InvalidOperationException("there is no tensor map");
        }

        var shape = new TensorMapShape((GpuType)map[6], (long)map[1], (int)map[2], (int)map[3], (long)map[4], (int)map[5])
        {
            Heads = (int)map[8], HeadBytes = (long)map[9], Batches = (int)map[10], BatchBytes = (long)map[11],
        };
        return (shape, map[7] == 1);
    }
}
