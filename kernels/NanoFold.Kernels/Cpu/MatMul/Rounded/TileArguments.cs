using System.Runtime.InteropServices;

namespace NanoFold.Kernels.Cpu.MatMul.Rounded;

/// <summary>What a program that multiplies tiles is told: y = alpha · a · b (+ y) for panels of a, one below the other, and a strip of b.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct TileArguments
{
    /// <summary>Where a program finds each.</summary>
    public const int PanelsAt = 0, StepsAt = 8, AAt = 16, BAt = 24, YAt = 32, YRowAt = 40, AccumulateAt = 48, AlphaAt = 56, ConfigurationAt = 64, BufferAt = 72;

    public long Panels;

    /// <summary>Pairs along k, at least 1.</summary>
    public long Steps;

    public byte* A;
    public byte* B;
    public byte* Y;

    /// <summary>Bytes from one row of y to the next.</summary>
    public long YRow;

    /// <summary>Not 0 where y is added to.</summary>
    public long Accumulate;

    public float Alpha;

    /// <summary>For tiles: their shapes.</summary>
    public byte* Configuration;

    /// <summary>For tiles: 4 KiB that sums go through.</summary>
    public byte* Buffer;
}
