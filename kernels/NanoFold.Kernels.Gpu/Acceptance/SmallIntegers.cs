using System.Runtime.InteropServices;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Acceptance;

/// <summary>Operands of products that are exact: integers from −3 to 3, so that every sum of up to a million products is one number, in whatever order it is made.</summary>
internal static class SmallIntegers
{
    /// <summary>Of an operand the element at a place along m or n, and along k.</summary>
    public static int At(int operand, int i, int k) => (int)((uint)((operand + 1) * 2654435761u + (uint)i * 2246822519u + (uint)k * 3266489917u) >> 13) % 7 - 3;

    /// <summary>Puts an operand into the device's memory, along k or along m or n, every row <paramref name="pad"/> elements longer.</summary>
    public static (long Address, long RowBytes) Put(ICheckDevice device, GpuType type, int operand, int length, int depth, bool alongDepth, int pad)
    {
        (int rows, int columns) = alongDepth ? (length, depth) : (depth, length);
        int stride = columns + pad;
        var values = new ushort[rows * stride];
        Array.Fill(values, ushort.MaxValue);
        for (int r = 0; r < rows; r++)
        {
            for (int c = 0; c < columns; c++)
            {
                values[r * stride + c] = Bits(type, alongDepth ? At(operand, r, c) : At(operand, c, r));
            }
        }

        long address = device.Allocate(2L * values.Length);
        device.Write(address, MemoryMarshal.AsBytes<ushort>(values));
        return (address, 2L * stride);
    }

    /// <summary>An integer that the type has.</summary>
    public static ushort Bits(GpuType type, float value)
        => type == GpuType.Float16 ? BitConverter.HalfToUInt16Bits((Half)value) : Round(value);

    private static ushort Round(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return (ushort)(bits + 0x7fff + (bits >> 16 & 1) >> 16);
    }
}
