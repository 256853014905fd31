using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Cuda;

/// <summary>Tensor maps as the driver encodes them, kept by shape: a step asks for the same ones again.</summary>
internal sealed unsafe class CudaTensorMaps
{
    private const int Most = 4096;

    // CU_TENSOR_MAP_…: DATA_TYPE_FLOAT16, DATA_TYPE_FLOAT32, DATA_TYPE_BFLOAT16, SWIZZLE_128B, L2_PROMOTION_L2_256B; the others of their kinds are 0: no interleave, zeros outside.
    private const int Float16 = 6, Float32 = 7, BFloat16 = 9, Swizzle128 = 3, Promotion256 = 3;

    private readonly Dictionary<TensorMapShape, TensorMap> _maps = [];

    public TensorMap Of(in TensorMapShape shape)
    {
        if (!_maps.TryGetValue(shape, out TensorMap map))
        {
            if (_maps.Count == Most)
            {
                _maps.Clear();
            }

            map = Encode(shape);
            _maps.Add(shape, map);
        }

        return map;
    }

    private static TensorMap Encode(in TensorMapShape shape)
    {
        // The driver wants it at a multiple of 64.
        byte* memory = stackalloc byte[sizeof(TensorMap) + 64];
        void* map = (void*)(((nint)memory + 63) & ~63);
        ulong* dimensions = stackalloc ulong[] { (ulong)shape.Columns, (ulong)shape.Rows, (ulong)shape.Heads, (ulong)shape.Batches };
        ulong* strides = stackalloc ulong[] { (ulong)shape.RowBytes, (ulong)shape.HeadBytes, (ulong)shape.BatchBytes };
        uint* box = stackalloc uint[] { (uint)shape.BoxWidth, (uint)shape.BoxRows, 1, 1 };
        uint* steps = stackalloc uint[] { 1, 1, 1, 1 };
        uint rank = shape.Heads > 0 ? 4u : 2u;
        int type = shape.Type switch
        {
            GpuType.Float16 => Float16,
            GpuType.BFloat16 => BFloat16,
            _ => Float32,
        };
        CudaDriver.Check(CudaDriver.TensorMapEncodeTiled(map, type, rank, (nint)shape.Address, dimensions, strides, box, steps, 0, Swizzle128, Promotion256, 0), $"encoding {shape}");
        return *(TensorMap*)map;
    }
}
