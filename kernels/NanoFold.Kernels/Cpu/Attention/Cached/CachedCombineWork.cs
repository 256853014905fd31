using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Cached;

/// <summary>Joins the parts of the keys in their order: y = Σ e^(mᵢ − m) oᵢ / Σ e^(mᵢ − m) lᵢ. An item is a batch row and a key head.</summary>
internal readonly unsafe struct CachedCombineWork(CpuContext context, CachedProblem problem, CachedPlan plan, CachedParts parts) : ILaneWork
{
    public long Items => (long)problem.Batch * problem.KeyHeads;

    public void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        int batch = (int)(item / problem.KeyHeads), keyHead = (int)(item % problem.KeyHeads);
        int count = problem.Count(batch);
        if (count == 0)
        {
            return;
        }

        var lane = LaneSize.Of<V>();
        int padded = lane.Padded(problem.ValueDepth);
        void* output = context.Scratch(worker, (long)padded * lane.Bytes);
        int total = problem.Keys(batch, 0, count).Total;
        for (int c = 0; c < count * problem.Group; c++)
        {
            double maximum = double.NegativeInfinity;
            for (int part = 0; part < plan.Parts && plan.Part(part, total).First < total; part++)
            {
                double other = Element.Get<V>(parts.Column<V>(problem, batch, keyHead, part, c), 0);
                maximum = other <= maximum ? maximum : other;
            }

            HeadRow.Zero<V>(output, padded);
            double sum = 0;
            for (int part = 0; part < plan.Parts && plan.Part(part, total).First < total; part++)
            {
                void* column = parts.Column<V>(problem, batch, keyHead, part, c);
                double factor = PortableMath.Exp(Element.Get<V>(column, 0) - maximum);
                sum += factor * Element.Get<V>(column, 1);
                HeadRow.AddScaled(V.Constant(factor), Element.At<V>(column, 2), output, problem.ValueDepth);
            }

            int head = keyHead * problem.Group + c % problem.Group;
            HeadRow.Write(output, problem.Y.Row<V>(batch, c / problem.Group, head), problem.ValueDepth, V.Constant(1 / sum));
        }
    }
}
