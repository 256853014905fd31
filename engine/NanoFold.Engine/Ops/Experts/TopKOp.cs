using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Ops;

/// <summary>The k largest of each row, largest first, and their indices; no gradient. x [N, C] to values [N, k] and indices [N, k].</summary>
public sealed class TopKOp : Op
{
    public override string Name => "top-k";

    public static (Tensor Values, Tensor Indices) Record(Tape tape, Tensor x, int k)
    {
        if (x.Layout.Rank != 2 || k < 1 || k > x[1])
        {
            throw new ArgumentException($"top-k: {k} of {x}; expected [N, C] and k in [1, C]");
        }

        Layout output = Layout.Of(x[0], k);
        Tensor[] outputs = tape.Record(new TopKOp(), [x], [(output, tape.Type), (output, DType.Int32)]);
        return (outputs[0], outputs[1]);
    }

    public override bool IsDifferentiable(int input) => false;

    public override void Forward(Backend backend, OpCall call) => backend.TopK(call.Input(0), call.Output(0), call.Output(1));

    internal static IEnumerable<OpCase> Cases()
    {
        yield return new OpCase("top-3 of [5, 17]", [OpInput.Real(5, 17)], (tape, t) => Record(tape, t[0], 3).Values,
            a => [.. a[0].Chunk(17).SelectMany(row => row.OrderDescending().Take(3))])
        { CheckGradient = false };
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        yield return new OpCase($"top-k {s.Name} router [{s.Tokens}, {BlockShape.Experts}]", [OpInput.Real(s.Tokens, BlockShape.Experts)],
            (tape, t) => Record(tape, t[0], BlockShape.ActiveExperts).Values,
            a => [.. a[0].Chunk(BlockShape.Experts).SelectMany(row => row.OrderDescending().Take(BlockShape.ActiveExperts))])
        { CheckGradient = false };
    }
}
