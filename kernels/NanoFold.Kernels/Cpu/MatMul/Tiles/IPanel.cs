namespace NanoFold.Kernels.Cpu.MatMul.Tiles;

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
