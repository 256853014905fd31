using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;

namespace NanoFold.Engine.Ops;

/// <summary>y[.., j, ..] = x[.., indices[.., j, ..], ..] along an axis, 0 where there is no such element: see <see cref="TakeAlongCall"/>. dx gets the sum of what was taken.</summary>
public sealed class TakeAlongOp(IKernel<TakeAlongCall> taking, IKernel<PlaceAlongCall> placing, int axis) : Op
{
    public override string Name => "take-along";

    /// <param name="tape">Where to record.</param>
    /// <param name="x">[.., L, ..].</param>
    /// <param name="indices">Int32 [.., k, ..].</param>
    /// <param name="axis">Which dimension.</param>
    public static Tensor Record(Tape tape, Tensor x, Tensor indices, int axis) =>
        tape.Record(new TakeAlongOp(tape.Backend.Require<TakeAlongCall>(), tape.Backend.Require<PlaceAlongCall>(), axis), [x, indices], indices.Layout);

    public override bool IsDifferentiable(int input) => input == 0;

    public override bool BackwardReadsInput(int input) => input == 1;

    public override void Forward(Backend backend, OpCall call) => taking.Run(new TakeAlongCall(call.Input(0), call.Input(1), call.Output(0), axis, Accumulate: false));

    public override void Backward(Backend backend, OpCall call) =>
        placing.Run(new PlaceAlongCall(call.OutputGradient(0), call.Input(1), call.InputGradient(0), axis, call.Accumulates(0)));

    internal static IEnumerable<OpCase> Cases()
    {
        foreach ((int[] shape, int axis, int k) in new (int[], int, int)[] { ([3, 41], 1, 5), ([2, 7, 19], 1, 11), ([4, 3], 0, 1) })
        {
            yield return new OpCase($"take-along {axis} {k} of [{string.Join(", ", shape)}]", [OpInput.Real(shape), Indices(shape, axis, k)],
                (tape, x) => Record(tape, x[0], x[1], axis), v => Reference(v, shape, axis, k));
        }
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        int[] shape = [s.Tokens, s.Width];
        int k = s.Width / 8;
        yield return new OpCase($"take-along {s.Name} {k} of [{s.Tokens}, {s.Width}]", [OpInput.Real(shape), OpInput.Integers(s.Width, s.Tokens, k)],
            (tape, x) => Record(tape, x[0], x[1], 1), v => Reference(v, shape, 1, k));
    }

    /// <summary>Some come several times, and some are of no element.</summary>
    internal static OpInput Indices(int[] shape, int axis, int k)
    {
        int[] indices = [.. shape];
        indices[axis] = k;
        return new OpInput(indices, -1, shape[axis]) { IsInteger = true };
    }

    private static double[] Reference(double[][] v, int[] shape, int axis, int k)
    {
        int[] taken = [.. shape];
        taken[axis] = k;
        return AxisReference.FromLines(
            AxisReference.Lines(v[0], shape, axis).Zip(AxisReference.Lines(v[1], taken, axis), (line, indices) => indices.Select(i => i < 0 ? 0 : line[(int)i]).ToArray()), taken, axis);
    }
}

/// <summary>y = 0 but for y[.., indices[.., j, ..], ..] += x[.., j, ..] along an axis: see <see cref="PlaceAlongCall"/>. dx is taken from dy.</summary>
public sealed class PlaceAlongOp(IKernel<PlaceAlongCall> placing, IKernel<TakeAlongCall> taking, int axis) : Op
{
    public override string Name => "place-along";

    /// <param name="tape">Where to record.</param>
    /// <param name="x">[.., k, ..].</param>
    /// <param name="indices">Int32 of the same shape.</param>
    /// <param name="axis">Which dimension.</param>
    /// <param name="length">L of y [.., L, ..].</param>
    public static Tensor Record(Tape tape, Tensor x, Tensor indices, int axis, int length)
    {
        int[] shape = x.Layout.ToShape();
        shape[axis] = length;
        return tape.Record(new PlaceAlongOp(tape.Backend.Require<PlaceAlongCall>(), tape.Backend.Require<TakeAlongCall>(), axis), [x, indices], Layout.Of(shape));
    }

    public override bool IsDifferentiable(int input) => input == 0;

    public override bool BackwardReadsInput(int input) => input == 1;

    public override void Forward(Backend backend, OpCall call) => placing.Run(new PlaceAlongCall(call.Input(0), call.Input(1), call.Output(0), axis, Accumulate: false));

    public override void Backward(Backend backend, OpCall call) =>
        taking.Run(new TakeAlongCall(call.OutputGradient(0), call.Input(1), call.InputGradient(0), axis, call.Accumulates(0)));

    internal static IEnumerable<OpCase> Cases()
    {
        foreach ((int[] shape, int axis, int k) in new (int[], int, int)[] { ([3, 41], 1, 5), ([2, 7, 19], 1, 11), ([4, 3], 0, 1) })
        {
            OpInput indices = TakeAlongOp.Indices(shape, axis, k);
            yield return new OpCase($"place-along {axis} {k} in [{string.Join(", ", shape)}]", [OpInput.Real(indices.Shape), indices],
                (tape, x) => Record(tape, x[0], x[1], axis, shape[axis]), v => Reference(v, shape, axis, k));
        }
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        int[] shape = [s.Tokens, s.Width];
        int k = s.Width / 8;
        yield return new OpCase($"place-along {s.Name} {k} in [{s.Tokens}, {s.Width}]", [OpInput.Real(s.Tokens, k), OpInput.Integers(s.Width, s.Tokens, k)],
            (tape, x) => Record(tape, x[0], x[1], 1, s.Width), v => Reference(v, shape, 1, k));
    }

    private static double[] Reference(double[][] v, int[] shape, int axis, int k)
    {
        int[] placed = [.. shape];
        placed[axis] = k;
        return AxisReference.FromLines(AxisReference.Lines(v[0], placed, axis).Zip(AxisReference.Lines(v[1], placed, axis), (line, indices) =>
            Enumerable.Range(0, shape[axis]).Select(i => line.Where((_, j) => indices[j] == i).Sum()).ToArray()), shape, axis);
    }
}
