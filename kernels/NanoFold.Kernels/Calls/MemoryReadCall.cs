using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Calls;

/// <summary>
/// Reads memory once, as fast as it comes, with all threads: the yardstick of what waits for memory. The sum is there so that nothing of it can be left
/// out; it is not compensated, unlike <see cref="Backend.Sum"/>, which is slower for it.
/// </summary>
/// <param name="X">Contiguous and real.</param>
/// <param name="Sum">Gets Σ x, Float32 [1].</param>
public readonly record struct MemoryReadCall(View X, View Sum) : IKernelCall<MemoryReadCall>
{
    public static string Name => "memory-read";

    public KernelCost Cost => new(X.Count, Operands.Bytes(this));

    public void Check()
    {
        Checks.Real(Name, "x", X);
        if (!X.Layout.IsContiguous)
        {
            Checks.Throw(Name, $"x is {X} with strides; expected it contiguous");
        }

        RowCheck.Vector(Name, "sum", Sum, DType.Float32, 1);
    }

    public MemoryReadCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => new(visitor.Visit("x", X, Access.Read), visitor.Visit("sum", Sum, Access.Write));
}
