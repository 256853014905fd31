using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using NanoFold.Kernels.Cpu.MatMul;

namespace NanoFold.Kernels.Cpu.Rounded;

/// <summary>
/// Rows of activations in blocks of 32: x ≈ q · d with d = max |x| / 127 and q = x / d, rounded to nearest (halves to even). A block whose values are all below <see cref="Least"/> counts as
/// zeros; d of a block with a value that is not finite is NaN, and so is what it goes into.
/// </summary>
internal readonly unsafe struct RoundedRows
{
    /// <summary>Of the largest value of a block.</summary>
    public const float Least = 1e-30f;

    /// <summary>Of a block: 32 bytes of q, then what the eight sums of their products start with.</summary>
    public const int BlockBytes = 2 * Unit;

    private const int Unit = DTypeExtensions.BlockValues, Lanes = 8, Most = 127, Columns = RoundedColumns.Columns;

    private readonly byte* _memory;
    private readonly int _units, _places;

    /// <param name="memory">Room for them, aligned to 64 bytes; null where only their size is asked for.</param>
    /// <param name="depth">A multiple of 32.</param>
    public RoundedRows(byte* memory, int depth)
    {
        _memory = memory;
        _units = depth / Unit;
        _places = Places(_units);
    }

    /// <summary>Of one row.</summary>
    public long RowBytes => ((long)_units * BlockBytes) + (2L * _places * sizeof(float));

    /// <summary>A number for each of four columns and each block, and zeros up to whole vectors.</summary>
    public static int Places(int units) => ((units * Columns) + Lanes - 1) / Lanes * Lanes;

    /// <summary>The blocks of a row.</summary>
    public byte* Blocks(int row) => _memory + (row * RowBytes);

    /// <summary>d of each block, four times each.</summary>
    public float* Scales(int row) => (float*)(Blocks(row) + ((long)_units * BlockBytes));

    /// <summary>d Σ q of each block, four times each.</summary>
    public float* Sums(int row) => Scales(row) + _places;

    /// <summary>A row of a product's a as floats q · d.</summary>
    public static void Widen(in Product product, int row, float* target)
    {
        byte* a = product.A + (row * product.ARow);
        float* apart = stackalloc float[Unit];
        for (int k = 0; k < product.Depth; k += Unit, a += Unit * product.AStep, target += Unit)
        {
            float* x = Near(a, product.AStep, apart);
            (float scale, float inverse) = ScaleOf(x);
            for (int i = 0; i < Unit; i += Lanes)
            {
                (Vector256.Round(Vector256.Load(x + i) * inverse) * scale).Store(target + i);
            }
        }
    }

    /// <summary>Rounds a row of a product's a.</summary>
    /// <param name="product">Whose.</param>
    /// <param name="row">Which.</param>
    /// <param name="offset">See <see cref="IByteUnit.Offset"/>.</param>
    public void Round(in Product product, int row, int offset)
    {
        byte* a = product.A + (row * product.ARow), blocks = Blocks(row);
        float* scales = Scales(row), sums = Sums(row), apart = stackalloc float[Unit];
        for (int unit = 0; unit < _units; unit++, a += Unit * product.AStep, blocks += BlockBytes)
        {
            (float scale, float sum) = Round(Near(a, product.AStep, apart), blocks, offset);
            Vector128.Create(scale).Store(scales + (unit * Columns));
            Vector128.Create(sum).Store(sums + (unit * Columns));
        }

        for (int place = _units * Columns; place < _places; place++)
        {
            scales[place] = sums[place] = 0;
        }
    }

    private static (float Scale, float Sum) Round(float* x, byte* block, int offset)
    {
        (float scale, float inverse) = ScaleOf(x);
        Vector256<sbyte> q = Vector256.Narrow(
            Vector256.Narrow(Whole(x, inverse), Whole(x + Lanes, inverse)), Vector256.Narrow(Whole(x + (2 * Lanes), inverse), Whole(x + (3 * Lanes), inverse)));
        Vector256<int> fours = PortableDots.Unsigned(default, Vector256.Create((byte)1), q);
        q.AsByte().Store(block);
        (fours * offset).Store((int*)(block + Unit));
        return (scale, scale * Vector256.Sum(fours));
    }

    // What is not a number becomes 0, and its scale says so.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Whole(float* x, float inverse) => Vector256.ConvertToInt32(Vector256.Round(Vector256.Load(x) * inverse));

    private static (float Scale, float Inverse) ScaleOf(float* x)
    {
        float largest = Largest(Vector256.Max(
            Vector256.Max(Positive(x), Positive(x + Lanes)), Vector256.Max(Positive(x + (2 * Lanes)), Positive(x + (3 * Lanes)))));
        return largest < Least ? (0, 0) : largest <= float.MaxValue ? (largest / Most, Most / largest) : (float.NaN, 0);
    }

    // Bits of numbers without signs are in the order of the numbers, and what is not a number comes last.
    private static float Largest(Vector256<int> bits)
    {
        Vector128<int> four = Vector128.Max(bits.GetLower(), bits.GetUpper());
        four = Vector128.Max(four, Vector128.Shuffle(four, Vector128.Create(2, 3, 0, 1)));
        return BitConverter.Int32BitsToSingle(Math.Max(four[0], four[1]));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Positive(float* x) => Vector256.Abs(Vector256.Load(x)).AsInt32();

    // A block side by side.
    private static float* Near(byte* a, nint step, float* room)
    {
        if (step == sizeof(float))
        {
            return (float*)a;
        }

        for (int i = 0; i < Unit; i++)
        {
            room[i] = *(float*)(a + (i * step));
        }

        return room;
    }
}
