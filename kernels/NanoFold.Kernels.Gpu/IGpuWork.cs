using ILGPU;

namespace NanoFold.Kernels.Gpu;

/// <summary>A kernel: a struct of its operands and what each thread does with them. Threads are found by <c>Grid</c> and <c>Group</c>.</summary>
/// <remarks>
/// What ILGPU compiles to something else than C# says, seen on CUDA: a comparison that becomes a float by way of an integer
/// (<c>x += a == b ? 1 : 0</c>; write <c>1f : 0f</c>), and comparisons where one is not a number, <c>float.IsNaN</c> too and any with a constant on its left
/// (ask <see cref="Bits.IsNaN"/> and <see cref="Bits.IsGreater"/>).
/// Structs of kernels are internal, never private; a project whose kernels are internal lets ILGPU see them: <c>InternalsVisibleTo("ILGPURuntime")</c>.
/// </remarks>
public interface IGpuWork<T>
    where T : struct, IGpuWork<T>
{
    /// <summary>Groups of full size that are to fit on a multiprocessor of a CUDA device together, 0 to leave that to its compiler.</summary>
    static virtual int GroupsTogether => 0;

    static abstract void Run(T work);
}

/// <summary>What comparisons of floats mean in C#, also where one is not a number: what they compile to does not always.</summary>
/// <remarks>
/// ILGPU puts a constant on the right and then takes the comparison for one that holds where its operands have no order
/// (<c>0 &gt; x</c> becomes "x &lt; 0 or not a number"); its OpenCL C has the opposite of a &gt; b as a &lt;= b.
/// </remarks>
public static class Bits
{
    public static bool IsNaN(float x) => (Interop.FloatAsInt(x) & 0x7fffffffu) > 0x7f800000u;

    /// <summary>False where one of the two is not a number, be one a constant or not: at most one of the two comparisons is changed.</summary>
    public static bool IsGreater(float a, float b) => (a > b) & (b < a);
}

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
