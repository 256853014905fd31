namespace NanoFold.Kernels.Cpu.Programs;

/// <summary>An instruction on vectors of 512 bits, as its EVEX prefix names it: one line of the manual.</summary>
/// <param name="Code">The byte after the prefix.</param>
/// <param name="Map">The table of codes it is in: 1 is 0F, 2 is 0F38.</param>
/// <param name="Prefix">0 none, 1 is 66, 2 is F3, 3 is F2.</param>
/// <param name="Bytes">What it reads or writes in memory: 64, or 4 of one element. Offsets that are a multiple of it are short.</param>
internal readonly record struct VectorInstruction(byte Code, int Map, int Prefix, int Bytes = 64)
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
}
