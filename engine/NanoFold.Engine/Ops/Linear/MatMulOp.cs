using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Ops;

/// <summary>
/// y = a · b, or a · bᵀ, batched over equal leading dimensions. a [.., M, K], b [.., K, N] or [.., N, K], y [.., M, N].
/// </summary>
/// <param name="transposeB">b is [.., N, K].</param>
/// <param name="sequencesInRows">While decoding the sequences lie in M, not in the leading dimensions.</param>
public sealed class MatMulOp(bool transposeB, bool sequencesInRows = false) : Op
{
    public override string Name => "matmul";

    public static Tensor Record(Tape tape, Tensor a, Tensor b, bool transposeB = false, bool sequencesInRows = false)
    {
        int[] shape = a.Layout.ToShape();
        bool fits = a.Layout.Rank == b.Layout.Rank && shape.Length >= 2 && a[-1] == b[transposeB ? -1 : -2];
        for (int i = 0; fits && i < shape.Length - 2; i++)
        {
            fits = shape[i] == b[i];
        }

        if (!fits)
        {
            throw new ArgumentException($"matmul: a {a} and b {b}; expected [.., M, K] and {(transposeB ? "[.., N, K]" : "[.., K, N]")}");
        }

        shape[^1] = b[transposeB ? -2 : -1];
        return tape.Record(new MatMulOp(transposeB, sequencesInRows), [a, b], Layout.Of(shape));
    }

    public override bool BackwardReadsInput(int input, Func<int, bool> wants) => wants(1 - input);

    public override void Forward(Backend backend, OpCall call) => backend.MatMul(new MatMulArgs
    {
        A = call.Input(0), B = call.Input(1), TransposeB = transposeB, Y = call.Output(0), Rounding = call.Rounding, HasSequencesInRows = sequencesInRows,
    });

    public override void Backward(Backend backend, OpCall call)
    {
        ref readonly View dy = ref call.OutputGradient(0);
        if (!call.InputGradient(0).IsNone)
        {
            backend.MatMul(new MatMulArgs
            {
                A = dy,
                B = call.Input(1),
                TransposeB = !transposeB,
                Y = call.InputGradient(0),
                Accumulate = call.Accumulates(0),
                Rounding = call.Rounding,
            });
        }

        if (!call.InputGradient(1).IsNone)
        {
            // d(a bᵀ): db = dyᵀ a; d(a b): db = aᵀ dy.
            backend.MatMul(new MatMulArgs
            {
                A = transposeB ? dy : call.Input(0),
                TransposeA = true,
                B = transposeB ? call.Input(0) : dy,
                Y = call.InputGradient(1),
                Accumulate = call.Accumulates(1),
                Rounding = call.Rounding,
            });
        }
    }

    internal static IEnumerable<OpCase> Cases()
    {
        yield return new OpCase("matmul [2, 3, 5, 7] x [2, 3, 7, 9]", [OpInput.Real(2, 3, 5, 7), OpInput.Real(2, 3, 7, 9)],
            (tape, t) => Record(tape, t[0], t[1]), a => Reference(a[0], a[1], 6, 5, 7, 9, 9, 1));
        yield return new OpCase("matmul [3, 17, 33] x [3, 31, 33]ᵀ", [OpInput.Real(3, 17, 33), OpInput.Real(3, 31, 33)],
            (tape, t) => Record(tape, t[0], t[1], transposeB: true), a => Reference(a[0], a[1], 3, 17, 33, 31, 1, 33));
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        (int heads, int time, int d) = (s.Batch * s.Heads, s.Time, s.HeadDim);
        yield return new OpCase($"matmul {s.Name} scores [{heads}, {time}, {d}] x [{heads}, {time}, {d}]ᵀ", [OpInput.Real(heads, time, d), OpInput.Real(heads, time, d)],
            (tape, t) => Record(tape, t[0], t[1], transposeB: true), a => Reference(a[0], a[1], heads, time, d, time, 1, d));
        yield return new OpCase($"matmul {s.Name} weighted [{heads}, {time}, {time}] x [{heads}, {time}, {d}]", [OpInput.Real(heads, time, time), OpInput.Real(heads, time, d)],
            (tape, t) => Record(tape, t[0], t[1]), a => Reference(a[0], a[1], heads, time, time, d, d, 1));
    }

    private static double[] Reference(double[] a, double[] b, int batches, int m, int k, int n, int strideK, int strideN)
    {
        var y = new double[batches * m * n];
        for (int i = 0; i < y.Length; i++)
        {
            int batch = i / (m * n), row = i / n % m, column = i % n;
            for (int p = 0; p < k; p++)
            {
                y[i] += a[(batch * m + row) * k + p] * b[batch * k * n + p * strideK + column * strideN];
            }
        }

        return y;
    }
}
