using ILGPU;
using ILGPU.Runtime;

namespace NanoFold.Kernels.Gpu;

/// <summary>Integers in a CUDA device's memory that are 0 between calls: kernels count in them, and leave them 0. Each branch has its own, for its calls may be done at the same time as others'.</summary>
internal sealed class GpuCounters(GpuContext context) : IDisposable
{
    private const int Least = 1 << 14;

    private readonly MemoryBuffer1D<byte, Stride1D.Dense>?[] _memory = new MemoryBuffer1D<byte, Stride1D.Dense>?[Branches.Most];
    private readonly List<IDisposable> _outgrown = [];

    /// <summary>Address of as many for the calls that follow. Grows only, and not while capturing.</summary>
    public long Of(int count)
    {
        ref MemoryBuffer1D<byte, Stride1D.Dense>? memory = ref _memory[context.Branches.Current];
        if (memory is null || memory.Length < (long)count * sizeof(int))
        {
            // What was captured still counts in the old ones.
            if (memory is not null)
            {
                _outgrown.Add(memory);
            }

            memory = context.AllocateMemory(Math.Max(Least, 2L * count) * sizeof(int));
            memory.View.AsContiguous().MemSet(context.Stream, 0);
        }

        return (long)memory.View.AsContiguous().LoadEffectiveAddressAsPtr();
    }

    public void Dispose()
    {
        _outgrown.ForEach(memory => memory.Dispose());
        foreach (MemoryBuffer1D<byte, Stride1D.Dense>? memory in _memory)
        {
            memory?.Dispose();
        }
    }
}
