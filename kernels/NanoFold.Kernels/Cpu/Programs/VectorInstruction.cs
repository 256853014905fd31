namespace NanoFold.Kernels.Cpu.Programs;

/// <summary>An instruction on vectors of 512 bits, as its EVEX prefix names it: one line of the manual.</summary>
/// <param name="Code">The byte after the prefix.</param>
/// <param name="Map">The table of codes it is in: 1 is 0F, 2 is 0F38, 3 is 0F3A.</param>
/// <param name="Prefix">0 none, 1 is 66, 2 is F3, 3 is F2.</param>
/// <param name="Bytes">What it reads or writes in memory: 64, or 4 of one element. Offsets that are a multiple of it are short.</param>
/// <param name="IsWide">W1 in the manual.</param>
internal readonly record struct VectorInstruction(byte Code, int Map, int Prefix, int Bytes = 64, bool IsWide = false)
{
    /// <summary>target[i] = place[i].</summary>
    public static VectorInstruction Load { get; } = new(0x10, 1, 0);

    /// <summary>place[i] = source[i].</summary>
    public static VectorInstruction Store { get; } = new(0x11, 1, 0);

    /// <summary>target[i] = the one element, vbroadcastss.</summary>
    public static VectorInstruction Broadcast { get; } = new(0x18, 2, 1, 4);

    /// <summary>target = a xor b, vxorps.</summary>
    public static VectorInstruction Xor { get; } = new(0x57, 1, 0);

    /// <summary>target = a · b, vmulps.</summary>
    public static VectorInstruction Multiply { get; } = new(0x59, 1, 0);

    /// <summary>target += a · b with one rounding, vfmadd231ps.</summary>
    public static VectorInstruction MultiplyAdd { get; } = new(0xb8, 2, 1);

    /// <summary>target[i] += a[2i + 1] · b[2i + 1], then += a[2i] · b[2i], of bfloat16: vdpbf16ps.</summary>
    public static VectorInstruction DotPairs { get; } = new(0x52, 2, 2);

    /// <summary>The 16 floats of b rounded to bfloat16, and after them those of a: vcvtne2ps2bf16.</summary>
    public static VectorInstruction RoundPairs { get; } = new(0x72, 2, 3);

    /// <summary>target[i] = b[a[i]], of 32 halves: vpermw.</summary>
    public static VectorInstruction PermuteHalves { get; } = new(0x8d, 2, 1, IsWide: true);

    /// <summary>In each quarter a[0], b[0], a[1], b[1]: vunpcklps.</summary>
    public static VectorInstruction UnpackLow { get; } = new(0x14, 1, 0);

    /// <summary>In each quarter a[2], b[2], a[3], b[3]: vunpckhps.</summary>
    public static VectorInstruction UnpackHigh { get; } = new(0x15, 1, 0);

    /// <summary>In each quarter two elements of a, then two of b, which a number names: vshufps.</summary>
    public static VectorInstruction Shuffle { get; } = new(0xc6, 1, 0);

    /// <summary>Two quarters of a, then two of b, which a number names: vshuff32x4.</summary>
    public static VectorInstruction ShuffleQuarters { get; } = new(0x23, 3, 1);
}
