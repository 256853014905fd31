namespace NanoFold.Tests.Cpu.Programs;

/// <summary>bfloat16 as the units compute: numbers too small for a normal one are 0, sums round to nearest even, each multiply-add once.</summary>
internal static class Brains
{
    /// <summary>A float's bits, rounded.</summary>
    public static ushort Round(uint bits)
    {
        if ((bits & 0x7fffffff) > 0x7f800000)
        {
            return (ushort)(bits >> 16 | 0x40);
        }

        bits = Flushed(bits);
        return (ushort)(bits + 0x7fff + (bits >> 16 & 1) >> 16);
    }

    public static float Single(uint half) => BitConverter.UInt32BitsToSingle(Flushed(half << 16));

    /// <summary>sum + a[1] · b[1], then + a[0] · b[0].</summary>
    public static float DotPair(float sum, uint a, uint b) => MultiplyAdd(Single(a), Single(b), MultiplyAdd(Single(a >> 16), Single(b >> 16), sum));

    public static float MultiplyAdd(float a, float b, float sum) => Flushed(MathF.FusedMultiplyAdd(a, b, Flushed(sum)));

    public static float Flushed(float value) => BitConverter.UInt32BitsToSingle(Flushed(BitConverter.SingleToUInt32Bits(value)));

    private static uint Flushed(uint bits) => (bits & 0x7f800000) == 0 ? bits & 0x80000000 : bits;
}
