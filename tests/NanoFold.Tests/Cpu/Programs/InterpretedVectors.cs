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
    public string Run(int map, int prefix, byte code, int target, int a, int b, byte* memory, bool spreads)
    {
        uint[] x = _values[a], y = memory is null ? _values[b] : new uint[Lanes], z = _values[target];
        bool isOne = spreads || (map, prefix, code) == (2, 1, 0x18);
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
            case (1, 0, 0x58):
                Each(z, i => Bits(Single(x[i]) + Single(y[i])));
                return "vaddps";
            case (1, 0, 0x59):
                Each(z, i => Bits(Single(x[i]) * Single(y[i])));
                return "vmulps";
            case (2, 1, 0xb8):
                Each(z, i => Bits(MathF.FusedMultiplyAdd(Single(x[i]), Single(y[i]), Single(z[i]))));
                return "vfmadd231ps";
            case (2, 2, 0x52):
                Each(z, i => Bits(Brains.DotPair(Single(z[i]), x[i], y[i])));
                return "vdpbf16ps";
            case (2, 1, 0x50):
                Each(z, i => (uint)((int)z[i] + Enumerable.Range(0, 4).Sum(j => (byte)(x[i] >> 8 * j) * (sbyte)(y[i] >> 8 * j))));
                return "vpdpbusd";
            case (2, 2, 0x72):
                uint[] half = [.. Enumerable.Range(0, Lanes).Select(i => i < 8 ? Brains.Round(y[2 * i]) | (uint)Brains.Round(y[2 * i + 1]) << 16 : 0)];
                half.CopyTo(z, 0);
                return "vcvtneps2bf16";
            case (2, 3, 0x72):
                uint[] both = [.. Enumerable.Range(0, Lanes).Select(i => Pair(i < 8 ? y : x, 2 * (i % 8)))];
                both.CopyTo(z, 0);
                return "vcvtne2ps2bf16";
            default:
                throw new InvalidOperationException($"unknown vector code {map} {prefix} {code:x2}");
        }
    }

    private static uint Pair(uint[] values, int first) => Brains.Round(values[first]) | (uint)Brains.Round(values[first + 1]) << 16;

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
