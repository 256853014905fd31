using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Ops;

/// <summary>
/// y = a where the mask is above 0, b elsewhere, to the bit. a and b of one shape, the mask [.., with 1 where it is repeated]. da = dy where the mask is above 0 and 0
/// elsewhere, db the other way round.
/// </summary>
public sealed class ChooseOp : Op
{
    private const int Mask = 0, A = 1, B = 2;

    public override string Name => "choose";

    public static Tensor Record(Tape tape, Tensor mask, Tensor a, Tensor b)
    {
        _ = mask.Layout.BroadcastTo(a.Layout);
        return a.Layout.SameShape(b.Layout) && mask.Layout.Rank == a.Layout.Rank
            ? tape.Record(new ChooseOp(), [mask, a, b], a.Layout)
            : throw new ArgumentException($"choose: mask {mask}, {a} and {b}; expected one shape, of the mask with dimensions of length 1 where it is repeated");
    }

    public override bool IsDifferentiable(int input) => input != Mask;

    public override bool BackwardReadsInput(int input) => input == Mask;

    public override void Forward(Backend backend, OpCall call) => backend.Zip(default(Choice), call.Input(Mask), call.Input(A), call.Input(B), call.Output(0));

    public override void Backward(Backend backend, OpCall call)
    {
        if (!call.InputGradient(A).IsNone)
        {
            backend.Zip(default(WhereMarked), call.Input(Mask), call.OutputGradient(0), call.InputGradient(A), call.Accumulates(A));
        }

        if (!call.InputGradient(B).IsNone)
        {
            backend.Zip(default(WhereNot), call.Input(Mask), call.OutputGradient(0), call.InputGradient(B), call.Accumulates(B));
        }
    }

    internal static IEnumerable<OpCase> Cases()
    {
        double[] mask = [1, 0, 0, 1, 1, 0];
        yield return new OpCase("choose [2, 3, 7]", [new OpInput([2, 3, 1]) { Values = mask, IsInteger = true }, OpInput.Real(2, 3, 7), OpInput.Real(2, 3, 7)],
            (tape, t) => Record(tape, IntegerConversionOp.Record(tape, t[0]), t[1], t[2]), a => [.. a[1].Select((x, i) => mask[i / 7] > 0 ? x : a[2][i])]);
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        double[] mask = [.. Enumerable.Range(0, s.Tokens).Select(i => i % 3 == 0 ? 1.0 : 0)];
        yield return new OpCase($"choose {s.Name} [{s.Tokens}, {s.Width}]",
            [new OpInput([s.Tokens, 1]) { Values = mask, IsInteger = true }, OpInput.Real(s.Tokens, s.Width), OpInput.Real(s.Tokens, s.Width)],
            (tape, t) => Record(tape, IntegerConversionOp.Record(tape, t[0]), t[1], t[2]), a => [.. a[1].Select((x, i) => mask[i / s.Width] > 0 ? x : a[2][i])]);
    }

    internal readonly struct Choice : ITernaryOp
    {
        public V Invoke<V>(V mask, V a, V b)
            where V : struct, ILane<V>
            => V.SelectGreater(mask, V.Constant(0), a, b);
    }

    internal readonly struct WhereMarked : IBinaryOp
    {
        public V Invoke<V>(V mask, V dy)
            where V : struct, ILane<V>
            => V.SelectGreater(mask, V.Constant(0), dy, V.Constant(0));
    }

    internal readonly struct WhereNot : IBinaryOp
    {
        public V Invoke<V>(V mask, V dy)
            where V : struct, ILane<V>
            => V.SelectGreater(mask, V.Constant(0), V.Constant(0), dy);
    }
}
