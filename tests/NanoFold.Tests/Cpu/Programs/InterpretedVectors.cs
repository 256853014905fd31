namespace NanoFold.Tests.Cpu.Programs;

/// <summary>The 32 vectors of 512 bits, and what the instructions do with them.</summary>
internal sealed unsafe class InterpretedVectors
{
    private const int Lanes = 16;

    private readonly uint[][] _values = [.. Enumerable.Range(0, 32).Select(_ => new uint[Lanes])];

    public uint[] this[int index] => _values[index];

    public void ClearUpper()
    {
        foreach (uint[] value in _values.Take(16))
        {
            value.AsSpan(4).Clear();
        }
    }

    /// <summary>Returns the name of the instruction.</summary>
    public string Run(int map, int prefix, byte code, int target, int a, int b, byte* memory, byte number)
    {
        uint[] z = _values[target];
        // What is read may be written before the end.
        uint[] x = [.. _values[a]], y = memory is null ? [.. _values[b]] : new uint[Lanes];
        bool isOne = (map, prefix, code) == (2, 1, 0x18);
        if ((map, prefix, code) == (1, 0, 0x11))
        {
            z.CopyTo(new Span<uint>(memory, Lanes));
            return "vmovups";
        }

        for (int i = 0; i < Lanes && memory is not null; i++)
        {
            y[i] = ((uint*)memory)[isOne ? 0 : i];
        }

        switch (map, prefix, code)
        {
            case (1, 0, 0x10):
                y.CopyTo(z, 0);
                return "vmovups";
            case (2, 1, 0x18):
                Array.Fill(z, y[0]);
                return "vbroadcastss";
            case (1, 0, 0x57):
                Each(z, i => x[i] ^ y[i]);
                return "vxorps";
            case (1, 0, 0x59):
                Each(z, i => Bits(Single(x[i]) * Single(y[i])));
                return "vmulps";
            case (2, 1, 0xb8):
                Each(z, i => Bits(MathF.FusedMultiplyAdd(Single(x[i]), Single(y[i]), Single(z[i]))));
                return "vfmadd231ps";
            case (2, 2, 0x52):
                Each(z, i => Bits(UnitArithmetic.DotPair(Single(z[i]), x[i], y[i])));
                return "vdpbf16ps";
            case (2, 3, 0x72):
                Each(z, i => Pair(j => UnitArithmetic.Rounded((j < Lanes ? y : x)[j % Lanes]), i));
                return "vcvtne2ps2bf16";
            case (2, 1, 0x8d):
                Each(z, i => Pair(j => Half(y, (int)Half(x, j) & 31), i));
                return "vpermw";
            case (1, 0, 0x14):
                Each(z, i => (i % 2 == 0 ? x : y)[i / 4 * 4 + i % 4 / 2]);
                return "vunpcklps";
            case (1, 0, 0x15):
                Each(z, i => (i % 2 == 0 ? x : y)[i / 4 * 4 + i % 4 / 2 + 2]);
                return "vunpckhps";
            case (1, 0, 0xc6):
                Each(z, i => (i % 4 < 2 ? x : y)[i / 4 * 4 + (number >> 2 * (i % 4) & 3)]);
                return "vshufps";
            case (3, 1, 0x23):
                Each(z, i => (i < 8 ? x : y)[(number >> 2 * (i / 4) & 3) * 4 + i % 4]);
                return "vshuff32x4";
            default:
                throw new InvalidOperationException($"unknown vector code {map} {prefix} {code:x2}");
        }
    }

    private static void Each(uint[] target, Func<int, uint> value)
    {
        for (int i = 0; i < Lanes; i++)
        {
            target[i] = value(i);
        }
    }

    private static uint Half(uint[] values, int index) => values[index / 2] >> 16 * (index % 2) & 0xffff;

    private static uint Pair(Func<int, uint> half, int index) => half(2 * index) | half(2 * index + 1) << 16;

    private static float Single(uint bits) => BitConverter.UInt32BitsToSingle(bits);

    private static uint Bits(float value) => BitConverter.SingleToUInt32Bits(value);
}

/// <summary>bfloat16 as the units compute: numbers too small for a normal one are 0, sums round to nearest even, each multiply-add once.</summary>
internal static class UnitArithmetic
{
    public static float Single(uint half) => BitConverter.UInt32BitsToSingle(Flushed(half << 16));

    /// <summary>sum + a[1] · b[1], then + a[0] · b[0].</summary>
    public static float DotPair(float sum, uint a, uint b) => MultiplyAdd(Single(a), Single(b), MultiplyAdd(Single(a >> 16), Single(b >> 16), sum));

    /// <summary>A float to nearest, ties to even; what is no number stays none.</summary>
    public static uint Rounded(uint bits)
    {
        uint flushed = Flushed(bits);
        return float.IsNaN(BitConverter.UInt32BitsToSingle(flushed)) ? flushed >> 16 | 0x40 : flushed + 0x7fff + (flushed >> 16 & 1) >> 16;
    }

    public static float MultiplyAdd(float a, float b, float sum) => Flushed(MathF.FusedMultiplyAdd(a, b, Flushed(sum)));

    public static float Flushed(float value) => BitConverter.UInt32BitsToSingle(Flushed(BitConverter.SingleToUInt32Bits(value)));

    private static uint Flushed(uint bits) => (bits & 0x7f800000) == 0 ? bits & 0x80000000 : bits;
}
