using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu;

/// <summary>A kernel: a struct of its operands and what each thread does with them. Threads are found by <c>Grid</c> and <c>Group</c>.</summary>
/// <remarks>
/// What ILGPU compiles to something else than C# says, seen on CUDA: a comparison that becomes a float by way of an integer
/// (<c>x += a == b ? 1 : 0</c>; write <c>1f : 0f</c>), and comparisons where one is not a number, <c>float.IsNaN</c> too and any with a constant on its left
/// (ask <see cref="Bits.IsNaN"/> and <see cref="Bits.IsGreater"/>).
/// Structs of kernels are internal, never private.
/// </remarks>
internal interface IGpuWork<T>
    where T : struct, IGpuWork<T>
{
    /// <summary>Groups of full size that are to fit on a multiprocessor of a CUDA device together, 0 to leave that to its compiler.</summary>
    static virtual int GroupsTogether => 0;

    static abstract void Run(T work);
}
