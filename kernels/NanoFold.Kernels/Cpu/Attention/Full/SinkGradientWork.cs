using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Full;

/// <summary>
/// What a score without a value leaves: with p = exp(sink − log-sum-exp) its weight in a row and δ = Σ dy ⊙ y, the gradient of the sink is −Σ p δ over the
/// rows of its head. Where scores decay, the other weights of a row sum to 1 − p, so that dc of its query is p δ and not 0. An item is a head.
/// </summary>
internal readonly unsafe struct SinkGradientWork(AttentionProblem problem, GradientProblem gradients) : ILaneWork
{
    public long Items => problem.Heads;

    public void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        int head = (int)item;
        double sink = problem.SinkLogit<V>(head), sum = 0;
        for (int b = 0; b < problem.Batch; b++)
        {
            void* logSumExp = problem.LogSumExpRow<V>(b, head, 0);
            for (int t = 0; t < problem.Time; t++)
            {
                double delta = HeadRow.Dot<V>(problem.Y.Row<V>(b, t, head), gradients.DY.Row<V>(b, t, head), problem.ValueDepth);
                double part = PortableMath.Exp(sink - Element.Get<V>(logSumExp, t)) * delta;
                sum += part;
                if (gradients.WantsDecay)
                {
                    gradients.AddDecay<V>(problem, b, head, t + problem.Shift, part);
                }
            }
        }

        if (gradients.WantsSinkLogits)
        {
            gradients.WriteSinkLogit<V>(head, -sum);
        }
    }
}
