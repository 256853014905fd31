namespace NanoFold.Kernels.Gpu.Loops;

/// <summary>Where rows of the last dimension begin.</summary>
internal static class RowShape
{
    /// <summary>Rows of y and of views of its shape (A, B); one that is none begins where y does.</summary>
    public static Shape Of(in View y, in View a, in View b = default)
    {
        Layout rows = Starts(y);
        return Shape.Of(rows, a.IsNone ? rows : Starts(a), b.IsNone ? rows : Starts(b));
    }

    private static Layout Starts(in View x) => x.Layout.Slice(-1, 0, 1, out _);
}
