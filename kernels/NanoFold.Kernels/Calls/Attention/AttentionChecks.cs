namespace NanoFold.Kernels.Calls.Attention;

/// <summary>Argument checks of the attention kernels; messages name the op, the tensor, what was expected and what came.</summary>
internal static class AttentionChecks
{
    public static void Rank4(string op, string name, in View view)
    {
        if (view.IsNone || view.Layout.Rank != 4)
        {
            Checks.Throw(op, $"{name} must have 4 dimensions, got {Describe(view)}");
        }
    }

    public static void Real(string op, string name, in View view)
    {
        if (view.Type is not (DType.Float32 or DType.Float64))
        {
            Checks.Throw(op, $"{name} must be Float32 or Float64, got {Describe(view)}");
        }
    }

    public static void Shape(string op, string name, in View view, DType type, ReadOnlySpan<int> shape)
    {
        bool same = !view.IsNone && view.Type == type && view.Layout.Rank == shape.Length;
        for (int i = 0; same && i < shape.Length; i++)
        {
            same = view.Layout[i] == shape[i];
        }

        if (!same)
        {
            Checks.Throw(op, $"{name} must be {type}[{string.Join(", ", shape.ToArray())}], got {Describe(view)}");
        }

        Checks.Inside(op, name, view);
        if (view.Layout[-1] != 1 && shape.Length == 4 && view.Layout.Stride(3) != 1)
        {
            Checks.Throw(op, $"the last stride of {name} must be 1, got {view.Layout.Stride(3)}");
        }
    }

    public static void Contiguous(string op, string name, in View view)
    {
        if (!view.Layout.IsContiguous)
        {
            Checks.Throw(op, $"{name} must be contiguous, got strides of a part of another tensor");
        }
    }

    /// <summary>As <see cref="Shape"/>, and contiguous.</summary>
    public static void Dense(string op, string name, in View view, DType type, ReadOnlySpan<int> shape)
    {
        Shape(op, name, view, type, shape);
        Contiguous(op, name, view);
    }

    public static void Grouping(string op, int heads, int keyHeads)
    {
        if (heads % keyHeads != 0)
        {
            Checks.Throw(op, $"{heads} query heads are not a multiple of {keyHeads} key heads");
        }
    }

    public static void Grouping(string op, int heads, int keyHeads, int valueHeads)
    {
        Grouping(op, heads, keyHeads);
        if (keyHeads % valueHeads != 0)
        {
            Checks.Throw(op, $"{keyHeads} key heads are not a multiple of {valueHeads} value heads");
        }
    }

    private static string Describe(in View view) => view.IsNone ? "none" : view.ToString();
}
