using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.MatMul;

/// <summary>
/// A register-blocked micro-kernel: <see cref="Rows"/> rows by <see cref="Vectors"/> vectors of y are held in registers
/// while k runs. Written once; the lane makes it a 128-, 256- or 512-bit kernel.
/// </summary>
internal unsafe interface ITile
{
    static abstract int Rows { get; }

    static abstract int Vectors { get; }

    /// <summary>y = alpha · a · b (+ y). All strides in bytes; a may lie in any order, the columns of b and y are adjacent.</summary>
    /// <param name="depth">Length of k, at least 1.</param>
    /// <param name="aRow">From one row of a to the next.</param>
    /// <param name="aStep">From one k of a to the next.</param>
    /// <param name="bStep">From one k of b to the next.</param>
    static abstract void Run<V>(nint depth, byte* a, nint aRow, nint aStep, byte* b, nint bStep, byte* y, nint yRow, double alpha, bool accumulate)
        where V : struct, ICpuLane<V>;
}
