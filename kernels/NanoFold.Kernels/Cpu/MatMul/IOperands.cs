namespace NanoFold.Kernels.Cpu.MatMul;

/// <summary>What tiles read of a and b, and how it gets there: as it is, or rounded and several k together.</summary>
internal unsafe interface IOperands<T>
    where T : unmanaged
{
    /// <summary>Whether tiles may read a and b where they lie.</summary>
    static abstract bool ReadsInPlace { get; }

    /// <summary>k in a step of a tile, which takes the room of one T.</summary>
    static abstract int StepDepth { get; }

    /// <summary>Steps are a multiple of so many: zeros fill them up.</summary>
    static abstract int StepUnit { get; }

    /// <summary>Blocks of rows are a multiple of so many where packing is fastest so.</summary>
    static abstract int RowUnit { get; }

    /// <summary>Panels of a, one after the other, each <paramref name="width"/> rows; zeros below the last row.</summary>
    static abstract void PackPanels(in Lines source, int width, T* target);

    /// <summary>Strips of b, one after the other, each <paramref name="width"/> columns; zeros after the last.</summary>
    static abstract void PackStrips(in Lines source, int width, T* target);
}

/// <summary>Rows of a or columns of b that are to be packed; strides in bytes.</summary>
internal readonly unsafe struct Lines(byte* source, nint lineStride, nint stepStride, int count, int depth)
{
    public byte* Source { get; } = source;

    /// <summary>From one line to the next.</summary>
    public nint LineStride { get; } = lineStride;

    /// <summary>From one k to the next.</summary>
    public nint StepStride { get; } = stepStride;

    public int Count { get; } = count;

    /// <summary>How many k.</summary>
    public int Depth { get; } = depth;

    public byte* Place(int line, int k) => Source + line * LineStride + k * StepStride;
}

/// <summary>How many steps a depth is.</summary>
internal static class Steps<TOperands, T>
    where TOperands : struct, IOperands<T>
    where T : unmanaged
{
    public static int Of(int depth) => BlockPlan.Ceiling(BlockPlan.Ceiling(depth, TOperands.StepDepth), TOperands.StepUnit) * TOperands.StepUnit;
}

/// <summary>The elements as they are.</summary>
internal readonly unsafe struct PlainOperands<T> : IOperands<T>
    where T : unmanaged
{
    public static bool ReadsInPlace => true;

    public static int StepDepth => 1;

    public static int StepUnit => 1;

    public static int RowUnit => 1;

    public static void PackPanels(in Lines source, int width, T* target) => Pack(source, width, target);

    public static void PackStrips(in Lines source, int width, T* target) => Pack(source, width, target);

    private static void Pack(in Lines source, int width, T* target)
    {
        int whole = source.Count / width, rest = source.Count % width;
        if (whole > 0)
        {
            Packing.PackMany(source.Source, source.LineStride, source.StepStride, whole, width, source.Depth, target);
        }

        if (rest > 0)
        {
            Packing.Pack(source.Place(whole * width, 0), source.LineStride, source.StepStride, rest, width, source.Depth, target + (nint)whole * width * source.Depth);
        }
    }
}
