namespace NanoFold.Kernels;

/// <summary>What kernels over rows ask of their operands beyond <see cref="Checks"/>.</summary>
public static class RowCheck
{
    /// <summary>A real tensor inside its buffer whose rows are contiguous.</summary>
    public static void Rows(string op, string name, in View view)
    {
        Checks.Real(op, name, view);
        if (view.Layout.Rank == 0 || (view.Layout[-1] != 1 && view.Layout.Stride(-1) != 1))
        {
            Fail(op, name, view, "rows of stride 1");
        }
    }

    /// <summary>Rows as those of <paramref name="x"/>: same type, same shape.</summary>
    public static void Like(string op, string name, in View view, in View x)
    {
        Rows(op, name, view);
        Checks.Same(op, name, view, x);
    }

    /// <summary>As <see cref="Like"/>, and written to.</summary>
    public static void Output(string op, string name, in View view, in View x)
    {
        Like(op, name, view, x);
        Checks.Writable(op, name, view);
    }

    /// <summary>A real tensor [rows, columns] with contiguous rows.</summary>
    public static void Matrix(string op, string name, in View view)
    {
        Rows(op, name, view);
        Checks.Rank(op, name, view, 2);
    }

    public static void Matrix(string op, string name, in View view, DType type, long rows, long columns)
    {
        Checks.Inside(op, name, view);
        if (view.Layout.Rank != 2 || view.Type != type || view.Layout[0] != rows || view.Layout[1] != columns
            || (columns != 1 && view.Layout.Stride(1) != 1))
        {
            Fail(op, name, view, $"{type}[{rows}, {columns}] with rows of stride 1");
        }
    }

    /// <summary>Contiguous, with <paramref name="count"/> elements, whatever the shape.</summary>
    public static void Vector(string op, string name, in View view, DType type, long count)
    {
        Checks.Inside(op, name, view);
        if (view.Type != type || view.Count != count || !view.Layout.IsContiguous)
        {
            Fail(op, name, view, $"{count} contiguous elements of {type}");
        }
    }

    /// <summary>As <see cref="Vector"/>, or none.</summary>
    public static void OptionalVector(string op, string name, in View view, DType type, long count)
    {
        if (!view.IsNone)
        {
            Vector(op, name, view, type, count);
        }
    }

    /// <summary>Scratch memory of any type with at least <paramref name="bytes"/>.</summary>
    public static void Scratch(string op, in View view, long bytes) => Room(op, "scratch", view, bytes);

    /// <summary>Memory of any type with at least <paramref name="bytes"/>.</summary>
    public static void Room(string op, string name, in View view, long bytes)
    {
        Checks.Inside(op, name, view);
        if (view.Count * view.Type.Size() < bytes || !view.Layout.IsContiguous)
        {
            Fail(op, name, view, $"at least {bytes} contiguous bytes");
        }
    }

    /// <summary>Each index is in [0, limit), or −1 where <paramref name="optional"/>. Looked at before any work, so that the first bad row is named and nothing is written.</summary>
    public static unsafe void Indices(string op, string name, in View view, long limit, bool optional)
    {
        int* values = view.Ints;
        long count = view.Count;
        int low = optional ? -1 : 0;
        for (long i = 0; i < count; i++)
        {
            if (values[i] < low || values[i] >= limit)
            {
                Checks.Throw(op, $"{name} of row {i} is {values[i]}, expected {(optional ? "−1 or " : "")}an index in [0, {limit})");
            }
        }
    }

    public static void Fail(string op, string name, in View view, string expected)
        => Checks.Throw(op, $"{name} is {view}, expected {expected}");
}
