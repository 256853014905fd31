using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Ops;

/// <summary>y = a + b of one shape. da = dy, db = dy.</summary>
public sealed class AddOp : Op
{
    public override string Name => "add";

    public static Tensor Record(Tape tape, Tensor a, Tensor b) => a.Layout.SameShape(b.Layout)
        ? tape.Record(new AddOp(), [a, b], a.Layout)
        : throw new ArgumentException($"add: {a} and {b}; expected one shape");

    /// <summary>
    /// The sum of x and a value that is used nowhere else: where a product made it last, x becomes that product's residual, to the same bits and with one
    /// pass over memory less each way.
    /// </summary>
    public static Tensor RecordOntoLast(Tape tape, Tensor x, Tensor last) =>
        LinearOp.TryAddResidual(tape, last, x) ? last : Record(tape, x, last);

    public override bool BackwardReadsInput(int input) => false;

    public override bool PassesGradient(int input) => true;

    public override void Forward(Backend backend, OpCall call) =>
        backend.Zip(default(Sum), call.Input(0), call.Input(1), call.Output(0));

    public override PreparedCall? Prepare(Backend backend, OpCall call) => backend.PrepareZip(default(Sum), call.Input(0), call.Input(1), call.Output(0));

    public override void Backward(Backend backend, OpCall call)
    {
        call.PassGradient(backend, 0);
        call.PassGradient(backend, 1);
    }

    internal static IEnumerable<OpCase> Cases()
    {
        yield return new OpCase("add [5, 257]", [OpInput.Real(5, 257), OpInput.Real(5, 257)],
            (tape, t) => Record(tape, t[0], t[1]), a => [.. a[0].Zip(a[1], (x, y) => x + y)]);
        yield return new OpCase("add to itself [31]", [OpInput.Real(31)],
            (tape, t) => Record(tape, t[0], t[0]), a => [.. a[0].Select(x => 2 * x)]);
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        yield return new OpCase($"add {s.Name} [{s.Tokens}, {s.Width}]", [OpInput.Real(s.Tokens, s.Width), OpInput.Real(s.Tokens, s.Width)],
            (tape, t) => Record(tape, t[0], t[1]), a => [.. a[0].Zip(a[1], (x, y) => x + y)]);
    }

    internal readonly struct Sum : IBinaryOp
    {
        public V Invoke<V>(V a, V b)
            where V : struct, ILane<V>
            => a + b;
    }
}
