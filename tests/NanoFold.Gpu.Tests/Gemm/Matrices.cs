using System.Runtime.CompilerServices;
using NanoFold.Gpu.Tests.Ptx;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Gpu.Tests.Gemm;

/// <summary>Random matrices on the device.</summary>
internal sealed unsafe class Matrices
{
    private readonly int _rows, _columns, _stride;

    public Matrices(MachineDevice device, Random random, GpuType type, int count, int rows, int columns, int pad, int shift, float most = 1)
    {
        (Type, Count, _rows, _columns, _stride) = (type, count, rows, columns, columns + pad);
        // The last row is not padded: nobody may read behind it.
        long elements = shift + ((long)count * rows - 1) * _stride + columns;
        Address = device.Allocate(elements * type.Size()) + shift * type.Size();
        for (int r = 0; r < count * rows; r++)
        {
            for (int c = 0; c < columns; c++)
            {
                Write((long)r * _stride + c, (random.NextSingle() * 2 - 1) * most);
            }
        }
    }

    public GpuType Type { get; }

    public int Count { get; }

    public long Address { get; }

    public long RowBytes => _stride * Type.Size();

    public long MatrixBytes => _rows * RowBytes;

    public double At(double[] values, int matrix, int row, int column) => values[(matrix * _rows + row) * _columns + column];

    public double[] Read()
    {
        var values = new double[Count * _rows * _columns];
        for (int i = 0; i < values.Length; i++)
        {
            long at = (long)(i / _columns) * _stride + i % _columns;
            values[i] = Type switch
            {
                GpuType.Float32 => ((float*)Address)[at],
                GpuType.BFloat16 => BitConverter.UInt32BitsToSingle((uint)((ushort*)Address)[at] << 16),
                _ => (double)((Half*)Address)[at],
            };
        }

        return values;
    }

    private void Write(long at, float value)
    {
        switch (Type)
        {
            case GpuType.Float32:
                Unsafe.Write((float*)Address + at, value);
                break;
            case GpuType.BFloat16:
                ((ushort*)Address)[at] = PtxFormulas.BFloat(BitConverter.SingleToUInt32Bits(value));
                break;
            default:
                ((Half*)Address)[at] = (Half)value;
                break;
        }
    }
}
