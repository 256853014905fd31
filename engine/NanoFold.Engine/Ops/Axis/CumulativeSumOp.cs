using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;

namespace NanoFold.Engine.Ops;

/// <summary>Running sums along an axis: see <see cref="CumulativeSumCall"/>. dx is the running sum of dy the other way.</summary>
public sealed class CumulativeSumOp(IKernel<CumulativeSumCall> kernel, int axis, bool exclusive, bool reverse) : Op
{
    public override string Name => "cumulative-sum";

    /// <param name="tape">Where to record.</param>
    /// <param name="x">[.., L, ..].</param>
    /// <param name="axis">Which dimension.</param>
    /// <param name="exclusive">Leaves the own element out.</param>
    /// <param name="reverse">Sums what follows.</param>
    public static Tensor Record(Tape tape, Tensor x, int axis, bool exclusive = false, bool reverse = false) =>
        tape.Record(new CumulativeSumOp(tape.Backend.Require<CumulativeSumCall>(), axis, exclusive, reverse), [x], x.Layout);

    public override bool BackwardReadsInput(int input) => false;

    public override void Forward(Backend backend, OpCall call) =>
        kernel.Run(new CumulativeSumCall(call.Input(0), call.Output(0), axis, exclusive, reverse, Accumulate: false));

    public override void Backward(Backend backend, OpCall call) =>
        kernel.Run(new CumulativeSumCall(call.OutputGradient(0), call.InputGradient(0), axis, exclusive, !reverse, call.Accumulates(0)));

    internal static IEnumerable<OpCase> Cases()
    {
        foreach ((int[] shape, int axis) in new (int[], int)[] { ([1], 0), ([3, 41], 1), ([2, 37, 19], 1), ([5, 7, 3], 0) })
        {
            foreach ((bool exclusive, bool reverse) in new[] { (false, false), (true, false), (false, true), (true, true) })
            {
                yield return new OpCase($"cumulative-sum{(exclusive ? " exclusive" : "")}{(reverse ? " in reverse" : "")} of [{string.Join(", ", shape)}] along {axis}",
                    [OpInput.Real(shape)], (tape, x) => Record(tape, x[0], axis, exclusive, reverse), v => Reference(v[0], shape, axis, exclusive, reverse));
            }
        }
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        foreach (int axis in new[] { 1, 2 })
        {
            int[] shape = [s.Batch, s.Time, s.Width];
            yield return new OpCase($"cumulative-sum {s.Name} [{s.Batch}, {s.Time}, {s.Width}] along {axis}", [OpInput.Real(shape)],
                (tape, x) => Record(tape, x[0], axis), v => Reference(v[0], shape, axis, false, false));
        }
    }

    private static double[] Reference(double[] x, int[] shape, int axis, bool exclusive, bool reverse) =>
        AxisReference.FromLines(AxisReference.Lines(x, shape, axis).Select(line => line.Select((own, t) =>
            (reverse ? line[t..] : line[..(t + 1)]).Sum() - (exclusive ? own : 0)).ToArray()), shape, axis);
}
