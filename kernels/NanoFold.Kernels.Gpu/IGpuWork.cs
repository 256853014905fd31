namespace NanoFold.Kernels.Gpu;

/// <summary>A kernel: a struct of its operands and what each thread does with them. Threads are found by <c>Grid</c> and <c>Group</c>.</summary>
internal interface IGpuWork<T>
    where T : struct, IGpuWork<T>
{
    static abstract void Run(T work);
}
