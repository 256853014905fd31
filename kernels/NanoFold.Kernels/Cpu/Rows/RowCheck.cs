using System.Diagnostics.CodeAnalysis;

namespace NanoFold.Kernels.Cpu.Rows;

/// <summary>Checks of what kernels over rows are given. Each failure names the op, the operand, what it is and what was expected.</summary>
internal static class RowCheck
{
    /// <summary>A real tensor inside its buffer whose rows are contiguous.</summary>
    public static void Rows(string op, string name, in View view)
    {
        Exists(op, name, view);
        if (view.Type == DType.Int32)
        {
            Fail(op, name, view, "a real type");
        }

        if (view.Layout.Rank == 0 || (view.Layout[-1] != 1 && view.Layout.Stride(-1) != 1))
        {
            Fail(op, name, view, "rows of stride 1");
        }
    }

    /// <summary>Rows as those of <paramref name="x"/>: same type, same shape.</summary>
    public static void Like(string op, string name, in View view, in View x)
    {
        Rows(op, name, view);
        if (view.Type != x.Type || !view.Layout.SameShape(x.Layout))
        {
            Fail(op, name, view, x.ToString());
        }
    }

    /// <summary>A real tensor [rows, columns] with contiguous rows.</summary>
    public static void Matrix(string op, string name, in View view)
    {
        Rows(op, name, view);
        if (view.Layout.Rank != 2)
        {
            Fail(op, name, view, "two dimensions");
        }
    }

    public static void Matrix(string op, string name, in View view, DType type, long rows, long columns)
    {
        Exists(op, name, view);
        if (view.Layout.Rank != 2 || view.Type != type || view.Layout[0] != rows || view.Layout[1] != columns
            || (columns != 1 && view.Layout.Stride(1) != 1))
        {
            Fail(op, name, view, $"{type}[{rows}, {columns}] with rows of stride 1");
        }
    }

    /// <summary>Contiguous, with <paramref name="count"/> elements, whatever the shape.</summary>
    public static void Vector(string op, string name, in View view, DType type, long count)
    {
        Exists(op, name, view);
        if (view.Type != type || view.Count != count || !view.Layout.IsContiguous)
        {
            Fail(op, name, view, $"{count} contiguous elements of {type}");
        }
    }

    /// <summary>Scratch memory of any type with at least <paramref name="bytes"/>; may be none where 0 are needed.</summary>
    public static void Scratch(string op, in View view, long bytes)
    {
        long given = view.IsNone ? 0 : view.Count * view.Type.Size();
        if (given < bytes || (!view.IsNone && !view.Layout.IsContiguous))
        {
            throw new ArgumentException($"{op}: scratch has {given} bytes, expected at least {bytes}, contiguous");
        }
    }

    /// <summary>Each index is −1 (where <paramref name="optional"/>) or in [0, limit).</summary>
    public static unsafe void Indices(string op, string name, in View view, long limit, bool optional)
    {
        int* values = view.Ints;
        long count = view.Count;
        int low = optional ? -1 : 0;
        for (long i = 0; i < count; i++)
        {
            if (values[i] < low || values[i] >= limit)
            {
                throw new ArgumentException($"{op}: {name} of row {i} is {values[i]}, expected {(optional ? "−1 or " : "")}an index in [0, {limit})");
            }
        }
    }

    public static void Exists(string op, string name, in View view)
    {
        if (view.IsNone)
        {
            throw new ArgumentException($"{op}: {name} is missing");
        }

        if (view.Offset < 0 || (view.Offset + view.Layout.Extent) * view.Type.Size() > view.Buffer.Bytes)
        {
            Fail(op, name, view, $"to end within its buffer of {view.Buffer.Bytes} bytes, from element {view.Offset}");
        }
    }

    [DoesNotReturn]
    public static void Fail(string op, string name, in View view, string expected)
        => throw new ArgumentException($"{op}: {name} is {view}, expected {expected}");
}
