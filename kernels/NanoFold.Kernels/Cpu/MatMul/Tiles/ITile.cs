namespace NanoFold.Kernels.Cpu.MatMul.Tiles;

/// <summary>
/// A register-blocked micro-kernel: a few rows by one or two vectors of y are held in registers while k runs, four steps per turn
/// of the loop. Written once for all vector widths. Lean loops matter: a core's other thread competes for the front end.
/// </summary>
internal unsafe interface ITile
{
    /// <summary>y = alpha · a · b (+ y). Strides in bytes; the columns of b and of y are adjacent.</summary>
    /// <param name="panels">Panels of a, one below the other, that meet the same b.</param>
    /// <param name="depth">Length of k.</param>
    /// <param name="aRow">From one row of a to the next, where a is not packed.</param>
    /// <param name="bStep">From one k of b to the next.</param>
    static abstract void Run<O, V, P>(int panels, nint depth, byte* a, nint aRow, byte* b, nint bStep, byte* y, nint yRow, double alpha, bool accumulate)
        where O : struct, IVectorOps<V>
        where V : struct
        where P : struct, IPanel;
}

/// <summary>How a tile finds a: a constant of the compiled code.</summary>
internal interface IPanel
{
    /// <summary>The rows of each k are adjacent; else the k of each row are.</summary>
    static abstract bool IsPacked { get; }
}

/// <summary>a in panels, as <see cref="Packing"/> leaves it.</summary>
internal readonly struct PackedPanel : IPanel
{
    public static bool IsPacked => true;
}

/// <summary>a read where it lies.</summary>
internal readonly struct DirectPanel : IPanel
{
    public static bool IsPacked => false;
}
