using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;

namespace NanoFold.Engine.Ops;

/// <summary>
/// Rotary position embedding (arXiv 2104.09864): pair (a, b) of a head at position p becomes (a cos − b sin, a sin + b cos) with angle p · θᵢ.
/// x [B, T, H, D]; a table of width R below D turns R elements of each head, the first ones or others side by side, and leaves the rest. The gradient turns back.
/// </summary>
public sealed class RopeOp(IKernel<RopeCall> kernel, bool interleaved, int start) : Op
{
    public override string Name => "rope";

    /// <param name="tape">Where to record.</param>
    /// <param name="x">[B, T, H, D].</param>
    /// <param name="table">[positions, R], see <see cref="RopeTable"/>.</param>
    /// <param name="positions">First position of each row, Int32 [B], or none for 0.</param>
    /// <param name="interleaved">Pairs (2i, 2i + 1) in place of (i, i + R/2).</param>
    /// <param name="start">The first element of a head that is turned.</param>
    public static Tensor Record(Tape tape, Tensor x, Tensor table, Tensor positions, bool interleaved, int start = 0)
    {
        if (x.Layout.Rank != 4 || table[-1] % 2 != 0 || start < 0 || start + table[-1] > x[3])
        {
            throw new ArgumentException($"rope: x {x} and table {table} from {start} on; expected [B, T, H, D], and [positions, R] with an even R of at most D");
        }

        return tape.Record(new RopeOp(tape.Backend.Require<RopeCall>(), interleaved, start), [x, table, positions], x.Layout);
    }

    public override bool IsBranch => true;

    public override bool IsDifferentiable(int input) => input == 0;

    public override bool BackwardReadsInput(int input) => input != 0;

    public override void Forward(Backend backend, OpCall call) => Turn(backend, call, call.Input(0), call.Output(0), inverse: false, accumulate: false);

    public override PreparedCall? Prepare(Backend backend, OpCall call)
    {
        ref readonly View x = ref call.Input(0);
        int width = call.Input(1).Layout[-1];
        return width == x.Layout[-1]
            ? kernel.Prepare(new RopeCall(x, call.Output(0), call.Input(1), call.Input(2), interleaved, Inverse: false, Accumulate: false))
            : null;
    }

    public override void Backward(Backend backend, OpCall call) =>
        Turn(backend, call, call.OutputGradient(0), call.InputGradient(0), inverse: true, call.Accumulates(0));

    internal static IEnumerable<OpCase> Cases()
    {
        foreach (bool interleaved in new[] { false, true })
        {
            yield return new OpCase($"rope [2, 5, 3, 6]{(interleaved ? " interleaved" : "")}",
                [OpInput.Real(2, 5, 3, 6), new OpInput([9, 6]) { Values = RopeTable.Compute(9, 6, 10000), IsTable = true }, new OpInput([2]) { IsInteger = true, Values = [0, 3] }],
                (tape, t) => Record(tape, t[0], t[1], t[2], interleaved), a => Reference(a[0], [0, 3], 5, 3, 6, interleaved))
            { Tolerance = 1e-5 };
            yield return new OpCase($"rope of 4 in [2, 5, 3, 7]{(interleaved ? " interleaved" : "")}",
                [OpInput.Real(2, 5, 3, 7), new OpInput([9, 4]) { Values = RopeTable.Compute(9, 4, 10000), IsTable = true }, new OpInput([2]) { IsInteger = true, Values = [0, 3] }],
                (tape, t) => Record(tape, t[0], t[1], t[2], interleaved), a => Reference(a[0], [0, 3], 5, 3, 7, interleaved, turned: 4))
            { Tolerance = 1e-5 };
        }

        yield return new OpCase("rope of 4 in [2, 5, 3, 7] from 2 on",
            [OpInput.Real(2, 5, 3, 7), new OpInput([9, 4]) { Values = RopeTable.Compute(9, 4, 10000), IsTable = true }, new OpInput([2]) { IsInteger = true, Values = [0, 3] }],
            (tape, t) => Record(tape, t[0], t[1], t[2], interleaved: false, start: 2), a => Reference(a[0], [0, 3], 5, 3, 7, interleaved: false, turned: 4, first: 2))
        { Tolerance = 1e-5 };
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        (int b, int time, int h, int d) = (s.Batch, s.Time, s.Heads, s.HeadDim);
        yield return new OpCase($"rope {s.Name} [{b}, {time}, {h}, {d}]",
            [OpInput.Real(b, time, h, d), new OpInput([time, d]) { Values = RopeTable.Compute(time, d, 10000), IsTable = true }],
            (tape, t) => Record(tape, t[0], t[1], default, interleaved: false), a => Reference(a[0], new int[b], time, h, d, interleaved: false))
        { Tolerance = 1e-5 };
    }

    private void Turn(Backend backend, OpCall call, in View x, in View y, bool inverse, bool accumulate)
    {
        ref readonly View table = ref call.Input(1);
        int width = table.Layout[-1], end = start + width, rest = x.Layout[-1] - end;
        kernel.Run(new RopeCall(Part(x, start, width), Part(y, start, width), table, call.Input(2), interleaved, inverse, accumulate));
        if (start > 0)
        {
            backend.Copy(Part(x, 0, start), Part(y, 0, start), accumulate);
        }

        if (rest > 0)
        {
            backend.Copy(Part(x, end, rest), Part(y, end, rest), accumulate);
        }
    }

    private static View Part(in View x, int start, int length) => x.With(x.Layout.Slice(3, start, length, out long offset), offset);

    internal static double[] Reference(double[] x, int[] starts, int time, int heads, int headDim, bool interleaved, int? turned = null, int first = 0)
    {
        int width = turned ?? headDim;
        var y = new double[x.Length];
        for (int i = 0; i < x.Length; i++)
        {
            int d = (i % headDim) - first, position = starts[i / (time * heads * headDim)] + i / (heads * headDim) % time;
            if (d < 0 || d >= width)
            {
                y[i] = x[i];
                continue;
            }

            int pair = interleaved ? d / 2 : d % (width / 2);
            bool isFirst = interleaved ? d % 2 == 0 : d < width / 2;
            int other = i + (interleaved ? 1 : width / 2) * (isFirst ? 1 : -1);
            double angle = position * Math.Pow(10000, -2.0 * pair / width);
            y[i] = x[i] * Math.Cos(angle) + x[other] * Math.Sin(angle) * (isFirst ? -1 : 1);
        }

        return y;
    }
}
