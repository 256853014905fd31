namespace NanoFold.Kernels.Cpu.Programs;

/// <summary>A place in memory: base + index · scale + offset.</summary>
/// <param name="Base">Holds the address.</param>
/// <param name="Offset">Bytes from it.</param>
/// <param name="Index">Holds what is added as often as <paramref name="Scale"/> says, or none; not rsp. For a tile: the bytes from one row to the next.</param>
/// <param name="Scale">1, 2, 4 or 8.</param>
internal readonly record struct Address(Register Base, int Offset = 0, Register? Index = null, int Scale = 1)
{
    public static implicit operator Address(Register register) => new(register);
}
