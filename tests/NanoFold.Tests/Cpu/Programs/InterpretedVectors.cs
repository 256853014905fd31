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
    public string Run(int map, int prefix, byte code, int target, int a, int b, byte* memory)
    {
        uint[] x = _values[a], y = memory is null ? _values[b] : new uint[Lanes], z = _values[target];
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

    private static float Single(uint bits) => BitConverter.UInt32BitsToSingle(bits);

    private static uint Bits(float value) => BitConverter.SingleToUInt32Bits(value);
}

/// <summary>bfloat16 as the units compute: numbers too small for a normal one are 0, sums round to nearest even, each multiply-add once.</summary>
internal static class UnitArithmetic
{
    public static float Single(uint half) => BitConverter.UInt32BitsToSingle(Flushed(half << 16));

    /// <summary>sum + a[1] · b[1], then + a[0] · b[0].</summary>
    public static float DotPair(float sum, uint a, uint b) => MultiplyAdd(Single(a), Single(b), MultiplyAdd(Single(a >> 16), Single(b >> 16), sum));

    public static float MultiplyAdd(float a, float b, float sum) => Flushed(MathF.FusedMultiplyAdd(a, b, Flushed(sum)));

    public static float Flushed(float value) => BitConverter.UInt32BitsToSingle(Flushed(BitConverter.SingleToUInt32Bits(value)));

    private static uint Flushed(uint bits) => (bits & 0x7f800000) == 0 ? bits & 0x80000000 : bits;
}
