using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;

namespace NanoFold.Engine.Ops;

/// <summary>The largest element along an axis and its index; the smaller index wins among equals. x [.., L, ..] to [.., 1, ..]. The gradient goes to that element.</summary>
public sealed class MaximumOp(IKernel<MaximumCall> kernel, IKernel<PlaceAlongCall> placing, int axis) : Op
{
    public override string Name => "maximum";

    public static (Tensor Values, Tensor Indices) Record(Tape tape, Tensor x, int axis)
    {
        var op = new MaximumOp(tape.Backend.Require<MaximumCall>(), tape.Backend.Require<PlaceAlongCall>(), axis);
        Layout output = x.Layout.Slice(axis, 0, 1, out _);
        Tensor[] outputs = tape.Record(op, [x], [(output, tape.Type), (output, DType.Int32)]);
        return (outputs[0], outputs[1]);
    }

    public override bool BackwardReadsInput(int input) => false;

    public override bool BackwardReadsOutput(int output) => output == 1;

    public override void Forward(Backend backend, OpCall call) => kernel.Run(new MaximumCall(call.Input(0), call.Output(0), call.Output(1), axis));

    public override void Backward(Backend backend, OpCall call) =>
        placing.Run(new PlaceAlongCall(call.OutputGradient(0), call.Output(1), call.InputGradient(0), axis, call.Accumulates(0)));

    internal static IEnumerable<OpCase> Cases()
    {
        foreach ((int[] shape, int axis) in new (int[], int)[] { ([1], 0), ([3, 41], 1), ([2, 37, 19], 1), ([5, 7, 3], 0), ([2, 3, 2, 70], 3) })
        {
            yield return new OpCase($"maximum of [{string.Join(", ", shape)}] along {axis}", [OpInput.Real(shape)],
                (tape, x) => Record(tape, x[0], axis).Values, v => [.. AxisReference.Lines(v[0], shape, axis).Select(line => line.Max())]);
        }

        double nan = double.NaN, most = double.PositiveInfinity;
        double[] values = [1, 3, 3, -1, 0, 3, -most, -most, -most, 2, nan, 4, nan, 9, most, nan, nan, most];
        yield return new OpCase("maximum where it lies [6, 3]", [new OpInput([6, 3]) { Values = values }],
            (tape, x) => Record(tape, x[0], 1).Indices, _ => [1, 2, 0, 1, 0, 0])
        { CheckGradient = false };
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        foreach (int axis in new[] { 1, 2 })
        {
            int[] shape = [s.Batch, s.Time, s.Width];
            yield return new OpCase($"maximum {s.Name} [{s.Batch}, {s.Time}, {s.Width}] along {axis}", [OpInput.Real(shape)],
                (tape, x) => Record(tape, x[0], axis).Values, v => [.. AxisReference.Lines(v[0], shape, axis).Select(line => line.Max())]);
        }
    }
}

/// <summary>Lines along an axis, for naive references.</summary>
internal static class AxisReference
{
    /// <summary>The lines of a flat tensor, in the order of the other dimensions.</summary>
    public static IEnumerable<double[]> Lines(double[] x, int[] shape, int axis)
    {
        int length = shape[axis], inner = shape[(axis + 1)..].Aggregate(1, (product, n) => product * n);
        for (int outer = 0; outer < x.Length / length / inner; outer++)
        {
            for (int i = 0; i < inner; i++)
            {
                yield return [.. Enumerable.Range(0, length).Select(j => x[(outer * length + j) * inner + i])];
            }
        }
    }

    /// <summary>The tensor whose lines these are.</summary>
    public static double[] FromLines(IEnumerable<double[]> lines, int[] shape, int axis)
    {
        int inner = shape[(axis + 1)..].Aggregate(1, (product, n) => product * n);
        double[][] all = [.. lines];
        int length = all[0].Length;
        var y = new double[all.Length * length];
        for (int line = 0; line < all.Length; line++)
        {
            for (int j = 0; j < length; j++)
            {
                y[(line / inner * length + j) * inner + line % inner] = all[line][j];
            }
        }

        return y;
    }
}
