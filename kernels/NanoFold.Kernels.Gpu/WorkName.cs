namespace NanoFold.Kernels.Gpu;

/// <summary>What people call a kernel: its work and what that is generic over.</summary>
internal static class WorkName
{
    /// <summary>As in <c>Flat(Unary(Silu), F32)</c>.</summary>
    public static string Of(Type work)
    {
        string name = work.Name.Split('`')[0];
        name = name.EndsWith("Work", StringComparison.Ordinal) ? name[..^4] : name;
        return work.IsGenericType ? $"{name}({string.Join(", ", work.GetGenericArguments().Select(Of))})" : name;
    }
}
