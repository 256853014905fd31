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

/// <summary>What the flags say after a comparison of signed numbers, by the number that encodes it.</summary>
internal enum Condition
{
    Zero = 4,
    NotZero = 5,
    Less = 12,
    NotLess = 13,
    NotGreater = 14,
    Greater = 15,
}
