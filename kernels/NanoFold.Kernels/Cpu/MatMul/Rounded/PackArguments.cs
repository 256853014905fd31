using System.Runtime.InteropServices;

namespace NanoFold.Kernels.Cpu.MatMul.Rounded;

/// <summary>What a program that packs is told.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct PackArguments
{
    /// <summary>Where a program finds each.</summary>
    public const int SourceAt = 0, StrideAt = 8, BlocksAt = 16, TargetAt = 24, NextAt = 32, TurnsAt = 40;

    public byte* Source;

    /// <summary>Bytes from line to line, or where lines are adjacent from k to k.</summary>
    public long Stride;

    /// <summary>Blocks of 16 pairs along k, at least 1.</summary>
    public long Blocks;

    public byte* Target;

    /// <summary>Bytes from the first panel to the second; for tiles those between the tiles of one line.</summary>
    public long Next;

    /// <summary><see cref="PackProgram.Turns"/>.</summary>
    public ushort* Turns;
}
