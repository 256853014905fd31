namespace NanoFold.Kernels.Cpu.Programs;

/// <summary>The 64-bit registers of x64, by the number that encodes them. A program may change the first three and r8 to r11, on Linux and on Windows.</summary>
internal enum Register
{
    Rax,
    Rcx,
    Rdx,
    Rbx,
    Rsp,
    Rbp,
    Rsi,
    Rdi,
    R8,
    R9,
    R10,
    R11,
    R12,
    R13,
    R14,
    R15,
}

/// <summary>A place in memory: base + index · scale + offset.</summary>
/// <param name="Base">Holds the address.</param>
/// <param name="Offset">Bytes from it.</param>
/// <param name="Index">Holds what is added as often as <paramref name="Scale"/> says, or none; not rsp. For a tile: the bytes from one row to the next.</param>
/// <param name="Scale">1, 2, 4 or 8.</param>
internal readonly record struct Address(Register Base, int Offset = 0, Register? Index = null, int Scale = 1)
{
    public static implicit operator Address(Register register) => new(register);
}

/// <summary>What the flags say after a comparison of signed numbers, by the number that encodes it.</summary>
internal enum Condition
{
    Zero = 4,
    NotZero = 5,
    Less = 12,
    NotLess = 13,
}
