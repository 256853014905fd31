using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;

namespace NanoFold.Engine.Ops;

/// <summary>y = operation(a, b, c) element by element over Int32, b and c broadcast to a or a number: see <see cref="IntegerMapCall"/>. No gradient.</summary>
public sealed class IntegerMapOp(IKernel<IntegerMapCall> kernel, IntegerOperation operation, int number) : Op
{
    public override string Name => "integer-map";

    /// <param name="tape">Where to record.</param>
    /// <param name="operation">What to do.</param>
    /// <param name="a">Int32; y has its shape.</param>
    /// <param name="b">Int32, or none for <paramref name="number"/>.</param>
    /// <param name="c">As b; for a selection only.</param>
    /// <param name="number">Stands for what is none.</param>
    public static Tensor Record(Tape tape, IntegerOperation operation, Tensor a, Tensor b = default, Tensor c = default, int number = 0) =>
        tape.Record(new IntegerMapOp(tape.Backend.Require<IntegerMapCall>(), operation, number), [a, b, c], [(a.Layout, DType.Int32)])[0];

    public override bool IsDifferentiable(int input) => false;

    public override void Forward(Backend backend, OpCall call) => kernel.Run(new IntegerMapCall(operation, call.Input(0), call.Input(1), call.Input(2), number, call.Output(0)));

    internal static IEnumerable<OpCase> Cases()
    {
        foreach ((IntegerOperation operation, Func<double, double, double, double> reference) in new (IntegerOperation, Func<double, double, double, double>)[]
        {
            (IntegerOperation.Add, (a, b, _) => a + b), (IntegerOperation.Subtract, (a, b, _) => a - b), (IntegerOperation.Multiply, (a, b, _) => a * b),
            (IntegerOperation.Minimum, (a, b, _) => Math.Min(a, b)), (IntegerOperation.Maximum, (a, b, _) => Math.Max(a, b)),
            (IntegerOperation.Less, (a, b, _) => a < b ? 1 : 0), (IntegerOperation.Equal, (a, b, _) => a == b ? 1 : 0), (IntegerOperation.Select, (a, b, c) => a != 0 ? b : c),
        })
        {
            yield return new OpCase($"integer-map {operation} [2, 5, 3]", [Numbers(2, 5, 3), Numbers(1, 5, 1), Numbers(2, 1, 3)],
                (tape, x) => Record(tape, operation, x[0], x[1], operation == IntegerOperation.Select ? x[2] : default),
                v => [.. v[0].Select((a, i) => reference(a, v[1][i / 3 % 5], v[2][i / 15 * 3 + i % 3]))])
            { CheckGradient = false };
        }

        yield return new OpCase("integer-map by a number [17]", [Numbers(17)],
            (tape, x) => Record(tape, IntegerOperation.Less, x[0], number: 1), v => [.. v[0].Select(a => a < 1 ? 1.0 : 0)])
        { CheckGradient = false };
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        yield return new OpCase($"integer-map {s.Name} less [{s.Tokens}, {s.Width}]", [OpInput.Integers(9, s.Tokens, s.Width), OpInput.Integers(9, s.Tokens, s.Width)],
            (tape, x) => Record(tape, IntegerOperation.Less, x[0], x[1]), v => [.. v[0].Zip(v[1], (a, b) => a < b ? 1.0 : 0)])
        { CheckGradient = false };
    }

    private static OpInput Numbers(params int[] shape) => new(shape, -3, 4) { IsInteger = true };
}

/// <summary>Int32 start + step · i along an axis: see <see cref="IntegerRangeCall"/>.</summary>
public sealed class IntegerRangeOp(IKernel<IntegerRangeCall> kernel, int axis, int start, int step) : Op
{
    public override string Name => "integer-range";

    /// <param name="tape">Where to record.</param>
    /// <param name="shape">Of the result.</param>
    /// <param name="axis">Along which the numbers change.</param>
    /// <param name="start">The first.</param>
    /// <param name="step">From one to the next.</param>
    public static Tensor Record(Tape tape, ReadOnlySpan<int> shape, int axis, int start = 0, int step = 1) =>
        tape.Record(new IntegerRangeOp(tape.Backend.Require<IntegerRangeCall>(), axis, start, step), [], [(Layout.Of(shape), DType.Int32)])[0];

    public override void Forward(Backend backend, OpCall call) => kernel.Run(new IntegerRangeCall(call.Output(0), axis, start, step));

    internal static IEnumerable<OpCase> Cases()
    {
        foreach ((int[] shape, int axis, int start, int step) in new (int[], int, int, int)[] { ([9], 0, 0, 1), ([2, 5, 3], 1, 4, -2), ([4, 3], 1, 1, 7), ([3, 2], 0, 0, 1) })
        {
            int inner = shape[(axis + 1)..].Aggregate(1, (product, n) => product * n), count = shape.Aggregate(1, (product, n) => product * n);
            yield return new OpCase($"integer-range [{string.Join(", ", shape)}] along {axis}", [], (tape, _) => Record(tape, shape, axis, start, step),
                _ => [.. Enumerable.Range(0, count).Select(i => (double)(start + step * (i / inner % shape[axis])))])
            { CheckGradient = false };
        }
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        yield return new OpCase($"integer-range {s.Name} [{s.Tokens}, {s.Width}]", [], (tape, _) => Record(tape, [s.Tokens, s.Width], 1),
            _ => [.. Enumerable.Range(0, s.Tokens * s.Width).Select(i => (double)(i % s.Width))])
        { CheckGradient = false };
    }
}

/// <summary>Int32 to real numbers or back, cut towards 0: see <see cref="IntegerConversionCall"/>. No gradient.</summary>
public sealed class IntegerConversionOp(IKernel<IntegerConversionCall> kernel) : Op
{
    public override string Name => "integer-conversion";

    /// <returns>Real numbers where x is Int32, Int32 where it is not.</returns>
    public static Tensor Record(Tape tape, Tensor x) =>
        tape.Record(new IntegerConversionOp(tape.Backend.Require<IntegerConversionCall>()), [x], [(x.Layout, x.Type.IsReal() ? DType.Int32 : tape.Type)])[0];

    public override bool IsDifferentiable(int input) => false;

    public override void Forward(Backend backend, OpCall call) => kernel.Run(new IntegerConversionCall(call.Input(0), call.Output(0)));

    internal static IEnumerable<OpCase> Cases()
    {
        yield return new OpCase("integer-conversion to real numbers [5, 7]", [new OpInput([5, 7], -90, 90) { IsInteger = true }],
            (tape, x) => Record(tape, x[0].Permute(1, 0)), v => AxisReference.FromLines(v[0].Chunk(7), [7, 5], 0)) { CheckGradient = false };
        yield return new OpCase("integer-conversion to integers [9]", [new OpInput([9]) { Values = [0, -0.5, 0.5, 1.5, -1.5, 2, -2, 3.75, -3.75] }],
            (tape, x) => Record(tape, x[0]), v => [.. v[0].Select(Math.Truncate)]) { CheckGradient = false };
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        yield return new OpCase($"integer-conversion {s.Name} [{s.Tokens}, {s.Width}]", [OpInput.Integers(9, s.Tokens, s.Width)], (tape, x) => Record(tape, x[0]), v => v[0])
        { CheckGradient = false };
    }
}
