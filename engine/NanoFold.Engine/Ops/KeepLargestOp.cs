using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Ops;

/// <summary>
/// Rows of probabilities with everything below their k-th largest entry set to 0 and the rest divided by its sum: what top-k attention weighs with.
/// Entries equal to the k-th are all kept. For readers of patterns; no gradient. x and y [.., S].
/// </summary>
public sealed class KeepLargestOp : Op
{
    public override string Name => "keep-largest";

    public static Tensor Record(Tape tape, Tensor x, int k)
    {
        int rows = checked((int)x.Layout.Rows);
        Tensor flat = x.Reshape(rows, x[-1]);
        Tensor largest = TopKOp.Record(tape, flat, Math.Min(k, x[-1])).Values;
        return tape.Record(new KeepLargestOp(), [flat, largest.Slice(1, largest[1] - 1, 1)], flat.Layout).Reshape(x.Layout.ToShape());
    }

    public override bool IsDifferentiable(int input) => false;

    public override void Forward(Backend backend, OpCall call)
    {
        View y = call.Output(0);
        View sums = call.Scratch.With(Layout.Of(y.Layout[0], 1));
        backend.Zip(default(Keep), call.Input(0), call.Input(1), y);
        backend.Sum(y, sums);
        backend.Zip(default(Divide), y, sums, y);
    }

    public override long ForwardScratchBytes(Node node) => node.Outputs[0].Layout.Rows * node.Outputs[0].Type.Size();

    internal static IEnumerable<OpCase> Cases()
    {
        yield return new OpCase("keep-largest 2 of [3, 9]", [new OpInput([3, 9], 0, 1)], (tape, t) => Record(tape, t[0], 2),
            a => [.. a[0].Chunk(9).SelectMany(row =>
            {
                double[] kept = [.. row.OrderDescending().Take(2)];
                return row.Select(x => x >= kept[1] ? x / kept.Sum() : 0);
            })])
        { CheckGradient = false };
    }

    private readonly struct Keep : IBinaryOp
    {
        public V Invoke<V>(V x, V threshold)
            where V : struct, ILane<V>
            => V.SelectGreater(threshold, x, V.Constant(0), x);
    }

    private readonly struct Divide : IBinaryOp
    {
        public V Invoke<V>(V x, V sum)
            where V : struct, ILane<V>
            => x / sum;
    }
}
