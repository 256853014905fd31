using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Cached;

/// <summary>Softmax states of the parts of the keys, one per query column: maximum, sum, unnormalized output.</summary>
internal readonly unsafe struct CachedParts(void* memory, CachedPlan plan)
{
    private const int Lanes = 16;

    public static long Bytes(in CachedProblem problem, in CachedPlan plan) =>
        plan.Parts == 1 ? 0 : (long)problem.Batch * problem.KeyHeads * plan.Parts * problem.Time * problem.Group * Row(problem) * problem.Type.Size();

    public void* Column<V>(in CachedProblem problem, int batch, int keyHead, int part, int column)
        where V : struct, ICpuLane<V>
    {
        long pair = (long)batch * problem.KeyHeads + keyHead;
        return Element.At<V>(memory, (nint)((((pair * plan.Parts) + part) * problem.Time * problem.Group + column) * Row(problem)));
    }

    private static int Row(in CachedProblem problem) => BlockSizes.Count(2 + problem.ValueDepth, Lanes) * Lanes;
}
