using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Ops;

/// <summary>
/// Rows of a, each followed by one of b: a [.., M], b [.., N] with any other dimension of length 1 repeated, y [.., M + N]. da and db are the parts of dy, db summed
/// over what was repeated.
/// </summary>
public sealed class JoinOp : Op
{
    public override string Name => "join";

    public static Tensor Record(Tape tape, Tensor a, Tensor b)
    {
        int[] shape = a.Layout.ToShape();
        bool fits = a.Layout.Rank == b.Layout.Rank && shape.Length > 1;
        for (int i = 0; fits && i < shape.Length - 1; i++)
        {
            fits = b[i] == shape[i] || b[i] == 1;
        }

        if (!fits)
        {
            throw new ArgumentException($"join: {a} and {b}; expected [.., M] and [.., N], of length 1 where b is repeated");
        }

        shape[^1] += b[-1];
        return tape.Record(new JoinOp(), [a, b], Layout.Of(shape));
    }

    public override bool BackwardReadsInput(int input) => false;

    public override void Forward(Backend backend, OpCall call)
    {
        (View first, View second) = Parts(call, call.Output(0));
        backend.Copy(call.Input(0), first);
        backend.Copy(call.Input(1), second);
    }

    public override void Backward(Backend backend, OpCall call)
    {
        (View first, View second) = Parts(call, call.OutputGradient(0));
        if (!call.InputGradient(0).IsNone)
        {
            backend.Copy(first, call.InputGradient(0), call.Accumulates(0));
        }

        View db = call.InputGradient(1);
        if (!db.IsNone && db.Layout.SameShape(second.Layout))
        {
            backend.Copy(second, db, call.Accumulates(1));
        }
        else if (!db.IsNone)
        {
            Reduction.Sum(backend, second, db, call.Accumulates(1), call.Scratch);
        }
    }

    public override long BackwardScratchBytes(Node node) => Reduction.ScratchBytes(node.Inputs[1].Type, node.Inputs[1].Layout.Count);

    internal static IEnumerable<OpCase> Cases()
    {
        yield return new OpCase("join [2, 3, 4, 5] and [2, 3, 1, 2]", [OpInput.Real(2, 3, 4, 5), OpInput.Real(2, 3, 1, 2)],
            (tape, t) => Record(tape, t[0], t[1]), a => Reference(a, 5, 2, repeats: 4));
        yield return new OpCase("join [3, 4] and [3, 7]", [OpInput.Real(3, 4), OpInput.Real(3, 7)], (tape, t) => Record(tape, t[0], t[1]), a => Reference(a, 4, 7, repeats: 1));
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        (int b, int time, int h, int d) = (s.Batch, s.Time, s.Heads, s.HeadDim);
        yield return new OpCase($"join {s.Name} [{b}, {time}, {h}, {d}] and [{b}, {time}, 1, {d / 2}]", [OpInput.Real(b, time, h, d), OpInput.Real(b, time, 1, d / 2)],
            (tape, t) => Record(tape, t[0], t[1]), a => Reference(a, d, d / 2, repeats: h));
    }

    private static (View First, View Second) Parts(OpCall call, in View y)
    {
        int width = call.Input(0).Layout[-1], axis = y.Layout.Rank - 1;
        Layout first = y.Layout.Slice(axis, 0, width, out long at), second = y.Layout.Slice(axis, width, y.Layout[-1] - width, out long from);
        return (y.With(first, at), y.With(second, from));
    }

    private static double[] Reference(double[][] a, int first, int second, int repeats) =>
        [.. a[0].Chunk(first).SelectMany((row, i) => row.Concat(a[1].Skip(i / repeats * second).Take(second)))];
}
