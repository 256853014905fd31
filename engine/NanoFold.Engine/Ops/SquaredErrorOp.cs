using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;

namespace NanoFold.Engine.Ops;

/// <summary>
/// loss [1] = Σ_i mean_o (y − targets)² / TargetCount over the rows that are marked to have a target. y [.., O], targets [.., O] (in single precision where y has
/// 16 bits), marks Int32 [..], −1 for none. dY = 2 (y − targets) / (O · TargetCount).
/// </summary>
public sealed class SquaredErrorOp(Backend backend) : Op
{
    private readonly IKernel<SquaredErrorCall> _forward = backend.Require<SquaredErrorCall>();
    private readonly IKernel<SquaredErrorBackwardCall> _backward = backend.Require<SquaredErrorBackwardCall>();

    public override string Name => "squared-error";

    /// <returns>The loss [1] and each row's error [N].</returns>
    public static (Tensor Loss, Tensor Losses) Record(Tape tape, Tensor y, Tensor targets, Tensor marks)
    {
        if (!y.Layout.SameShape(targets.Layout) || y.Layout.Rows != marks.Layout.Count)
        {
            throw new ArgumentException($"squared-error: y {y}, targets {targets}, marks {marks}; expected [N, O], [N, O] and [N]");
        }

        int rows = checked((int)y.Layout.Rows);
        Tensor[] outputs = tape.Record(new SquaredErrorOp(tape.Backend), [y.Reshape(rows, y[-1]), targets.Reshape(rows, y[-1]), marks.Reshape(rows)],
            [(Layout.Of(1), tape.Type.Sum()), (Layout.Of(rows), tape.Type.Sum())]);
        return (outputs[0], outputs[1]);
    }

    public override bool HasSideEffects => true;

    public override bool IsDifferentiable(int input) => input == 0;

    public override void Forward(Backend backend, OpCall call) =>
        _forward.Run(new SquaredErrorCall(call.State, call.Input(0), call.Input(1), call.Input(2), call.Output(1), call.Output(0)));

    public override void Backward(Backend backend, OpCall call) => _backward.Run(new SquaredErrorBackwardCall(
        call.State, call.Input(0), call.Input(1), call.Input(2), call.OutputGradient(0), call.InputGradient(0), call.Accumulates(0)));

    internal static IEnumerable<OpCase> Cases()
    {
        foreach ((int rows, int width) in new[] { (1, 1), (5, 3), (37, 1), (4, 70) })
        {
            // What stands where nothing is marked is not looked at.
            double[] marks = [.. Enumerable.Range(0, rows).Select(i => i % 4 == 3 ? -1.0 : 0)];
            double[] targets = [.. Enumerable.Range(0, rows * width).Select(i => marks[i / width] < 0 ? double.NaN : ((i * 37 % 64) - 32) / 16.0)];
            yield return new OpCase($"squared-error [{rows}, {width}]",
                [new OpInput([rows, width], -2, 2), new OpInput([rows, width]) { Values = targets, IsTable = true }, new OpInput([rows]) { IsInteger = true, Values = marks }],
                (tape, t) => Record(tape, t[0], t[1], t[2]).Loss, a => [Reference(a[0], a[1], a[2])]);
        }
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        double[] targets = [.. Enumerable.Range(0, s.Tokens * s.Width).Select(i => i % 7 / 4.0)];
        yield return new OpCase($"squared-error {s.Name} [{s.Tokens}, {s.Width}]",
            [OpInput.Real(s.Tokens, s.Width), new OpInput([s.Tokens, s.Width]) { Values = targets, IsTable = true }, OpInput.Integers(1, s.Tokens)],
            (tape, t) => Record(tape, t[0], t[1], t[2]).Loss, a => [Reference(a[0], a[1], a[2])]);
    }

    /// <summary>Sum over the rows: the cases run with a TargetCount of 1.</summary>
    private static double Reference(double[] y, double[] targets, double[] marks)
    {
        int width = y.Length / marks.Length;
        return Enumerable.Range(0, y.Length).Where(i => marks[i / width] >= 0).Sum(i => (y[i] - targets[i]) * (y[i] - targets[i])) / width;
    }
}
