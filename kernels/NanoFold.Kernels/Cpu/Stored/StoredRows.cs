using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using NanoFold.Kernels.Cpu.MatMul;

namespace NanoFold.Kernels.Cpu.Stored;

/// <summary>
/// Rows of weights in a type of files (<see cref="Backend.ReadsWeights"/>) as floats. Values of 16 bits and q · d are exact; q · d + m is rounded once, as ggml does.
/// </summary>
internal static unsafe class StoredRows
{
    /// <summary>2¹¹², which brings the exponent of half precision, moved to where single precision has its own, to its place; values below the normal ones too.</summary>
    public const float HalfScale = 5.192296858534828e33f;

    /// <summary>Sign, exponent and mantissa of half precision, moved 13 bits up.</summary>
    public const int HalfBits = unchecked((int)0x8FFFE000);

    private const int BlockValues = DTypeExtensions.BlockValues, HalfBlock = BlockValues / 2;

    /// <summary>target[i] = element <paramref name="start"/> + i of a row.</summary>
    /// <param name="type">Of 16 bits, or of blocks.</param>
    /// <param name="row">Where the row begins.</param>
    /// <param name="start">The first element, which may lie within a block.</param>
    /// <param name="count">How many there are.</param>
    /// <param name="target">Room for them.</param>
    public static void Widen(DType type, byte* row, int start, int count, float* target)
    {
        switch (type)
        {
            case DType.BFloat16:
                BFloats((ushort*)row + start, count, target);
                break;
            case DType.Float16:
                Halves((short*)row + start, count, target);
                break;
            default:
                Blocks(type, row, start, count, target);
                break;
        }
    }

    /// <summary>A column of a product's weights as floats, in its place of some scratch; the address of these.</summary>
    public static byte* Widened(in Product product, byte* column, int place, byte* scratch)
    {
        float* target = (float*)scratch + place * product.Depth;
        Widen(product.Stored, column, 0, product.Depth, target);
        return (byte*)target;
    }

    /// <summary>A finite number of half precision.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Half(byte* bits) => BitConverter.Int32BitsToSingle((*(short*)bits << 13) & HalfBits) * HalfScale;

    private static void BFloats(ushort* source, int count, float* target)
    {
        int i = 0;
        for (; i <= count - Vector256<ushort>.Count; i += Vector256<ushort>.Count)
        {
            Vector256<ushort> bits = Vector256.Load(source + i);
            (Vector256.WidenLower(bits) << 16).AsSingle().Store(target + i);
            (Vector256.WidenUpper(bits) << 16).AsSingle().Store(target + i + Vector256<float>.Count);
        }

        for (; i < count; i++)
        {
            target[i] = BFloat16.ToSingle(source[i]);
        }
    }

    private static void Halves(short* source, int count, float* target)
    {
        int i = 0;
        for (; i <= count - Vector256<short>.Count; i += Vector256<short>.Count)
        {
            Vector256<short> bits = Vector256.Load(source + i);
            Half(Vector256.WidenLower(bits)).Store(target + i);
            Half(Vector256.WidenUpper(bits)).Store(target + i + Vector256<float>.Count);
        }

        for (; i < count; i++)
        {
            target[i] = Half((byte*)(source + i));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Half(Vector256<int> bits) => ((bits << 13) & Vector256.Create(HalfBits)).AsSingle() * Vector256.Create(HalfScale);

    private static void Blocks(DType type, byte* row, int start, int count, float* target)
    {
        float* part = stackalloc float[BlockValues];
        byte* block = row + type.Bytes(start);
        int skip = start % BlockValues;
        while (count > 0)
        {
            int values = Math.Min(BlockValues - skip, count);
            if (values == BlockValues)
            {
                Block(type, block, target);
            }
            else
            {
                Block(type, block, part);
                new ReadOnlySpan<float>(part + skip, values).CopyTo(new Span<float>(target, values));
            }

            target += values;
            count -= values;
            block += type.BlockBytes();
            skip = 0;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Block(DType type, byte* block, float* target)
    {
        float d = Half(block);
        switch (type)
        {
            case DType.Q8_0:
                Vector256<sbyte> q = Vector256.Load((sbyte*)block + 2);
                Scale(Vector256.WidenLower(q), d, target);
                Scale(Vector256.WidenUpper(q), d, target + HalfBlock);
                break;
            case DType.Q4_0:
                Vector128<byte> codes = Vector128.Load(block + 2);
                Vector256<short> eight = Vector256.Create((short)8);
                Scale(Wide(codes & Vector128.Create((byte)15)) - eight, d, target);
                Scale(Wide(codes >>> 4) - eight, d, target + HalfBlock);
                break;
            default:
                float m = Half(block + 2);
                codes = Vector128.Load(block + 4);
                ScaleFrom(Wide(codes & Vector128.Create((byte)15)), d, m, target);
                ScaleFrom(Wide(codes >>> 4), d, m, target + HalfBlock);
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<short> Wide(Vector128<byte> codes) => Vector256.Create(Vector128.WidenLower(codes), Vector128.WidenUpper(codes)).AsInt16();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Scale(Vector256<short> q, float d, float* target)
    {
        Vector256<float> scale = Vector256.Create(d);
        (Vector256.ConvertToSingle(Vector256.WidenLower(q)) * scale).Store(target);
        (Vector256.ConvertToSingle(Vector256.WidenUpper(q)) * scale).Store(target + Vector256<float>.Count);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void ScaleFrom(Vector256<short> q, float d, float m, float* target)
    {
        Vector256<float> scale = Vector256.Create(d), least = Vector256.Create(m);
        ((Vector256.ConvertToSingle(Vector256.WidenLower(q)) * scale) + least).Store(target);
        ((Vector256.ConvertToSingle(Vector256.WidenUpper(q)) * scale) + least).Store(target + Vector256<float>.Count);
    }
}
