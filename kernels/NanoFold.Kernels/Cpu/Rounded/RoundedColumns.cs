using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using NanoFold.Kernels.Cpu.Stored;

namespace NanoFold.Kernels.Cpu.Rounded;

/// <summary>The scales of four columns of weights, block by block, and what they make with those of a row of activations.</summary>
internal readonly unsafe struct RoundedColumns
{
    public const int Columns = 4;

    private const int Lanes = 8;

    private readonly int _units, _places;
    private readonly int* _bits;
    private readonly float* _products;

    /// <param name="memory">Room for <see cref="ScratchBytes"/>.</param>
    /// <param name="units">Blocks of a column.</param>
    public RoundedColumns(byte* memory, int units)
    {
        _units = units;
        _places = RoundedRows.Places(units);
        _bits = (int*)memory;
        _products = (float*)memory + _places;
    }

    public static long ScratchBytes(int units) => 3L * RoundedRows.Places(units) * sizeof(float);

    /// <summary>Takes the scales of the columns as they lie before their blocks. Vectors are not put together of what was just stored, so all are taken before anything is made of them.</summary>
    /// <param name="columns">The first.</param>
    /// <param name="second">From it to the second, in bytes.</param>
    /// <param name="third">From it to the third.</param>
    /// <param name="fourth">From it to the fourth.</param>
    public void Take<F>(byte* columns, nint second, nint third, nint fourth)
        where F : struct, IByteUnit
    {
        int* bits = _bits;
        nint end = (nint)_units * Columns, i = 0;
        for (; i < end; i += Columns, columns += F.Bytes)
        {
            bits[i] = *(int*)columns;
            bits[i + 1] = *(int*)(columns + second);
            bits[i + 2] = *(int*)(columns + third);
            bits[i + 3] = *(int*)(columns + fourth);
        }

        for (; i < _places; i++)
        {
            bits[i] = 0;
        }
    }

    /// <summary>The products of the scales of all columns with those of a row, four for each block.</summary>
    /// <param name="scales">See <see cref="RoundedRows.Scales"/>.</param>
    /// <param name="place">0 or 1: two rows are held at a time.</param>
    public float* Products(float* scales, int place)
    {
        float* products = _products + (place * _places);
        for (int i = 0; i < _places; i += Lanes)
        {
            (Half(Vector256.Load(_bits + i) << 16) * Vector256.Load(scales + i)).Store(products + i);
        }

        return products;
    }

    /// <summary>Σ m d Σ q over the blocks of each column, with the least values m of its blocks.</summary>
    /// <param name="sums">See <see cref="RoundedRows.Sums"/>.</param>
    public Vector128<float> Least(float* sums)
    {
        Vector256<float> least = default;
        for (int i = 0; i < _places; i += Lanes)
        {
            least = Vector256.FusedMultiplyAdd(Half(Vector256.Load(_bits + i)), Vector256.Load(sums + i), least);
        }

        return least.GetLower() + least.GetUpper();
    }

    // The upper half of each integer, of half precision.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Half(Vector256<int> bits) => ((bits >> 3) & Vector256.Create(StoredRows.HalfBits)).AsSingle() * StoredRows.HalfScale;
}
