using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Residuals;

namespace NanoFold.Engine.Ops;

/// <summary>
/// Streams mixed token by token, and a value spread over them: y_i = Σ_j A_ij x_j + b_i f (arXiv 2409.19606). A [B, T, m, n] or [m, n] for all tokens, x [B, T, n, C],
/// b [B, T, m] or [m], f [B, T, C] or none, y [B, T, m, C]. A and b have the type of x, or that of its sums. dx = Aᵀ dy, df = bᵀ dy, dA_ij = ⟨dy_i, x_j⟩, db_i = ⟨dy_i, f⟩; coefficients
/// that are one for all tokens are constants.
/// </summary>
public sealed class MixStreamsOp(Backend backend) : Op
{
    private const int A = 0, X = 1, B = 2, F = 3;

    private readonly IKernel<MixStreamsCall> _forward = backend.Require<MixStreamsCall>();
    private readonly IKernel<MixStreamsBackwardCall> _backward = backend.Require<MixStreamsBackwardCall>();

    public override string Name => "mix-streams";

    public static Tensor Record(Tape tape, Tensor a, Tensor x, Tensor b = default, Tensor f = default)
    {
        if (x.Layout.Rank != 4 || a[-1] != x[2] || (a.Layout.Rank == 4 && (a[0] != x[0] || a[1] != x[1])) || b.IsNone != f.IsNone || (!b.IsNone && b[-1] != a[-2]))
        {
            throw new ArgumentException($"mix-streams: A {a}, x {x}, b {b} and f {f}; expected [.., m, n], [B, T, n, C], [.., m] and [B, T, C], or neither of the last two");
        }

        if (!b.IsNone && a.Type != b.Type)
        {
            // One of them was edited by a tap, in the type of activations.
            (a, b) = (BroadcastOp.Record(tape, a, a.Layout.ToShape()), BroadcastOp.Record(tape, b, b.Layout.ToShape()));
        }

        return tape.Record(new MixStreamsOp(tape.Backend), [a, x, b, f], Layout.Of(x[0], x[1], a[-2], x[3]));
    }

    public override void Forward(Backend backend, OpCall call) =>
        _forward.Run(new MixStreamsCall(Coefficients(call.Input(A), 2), Tokens(call.Input(X)), Coefficients(call.Input(B), 1), Rows(call.Input(F)), Tokens(call.Output(0))));

    public override void Backward(Backend backend, OpCall call) => _backward.Run(new MixStreamsBackwardCall(
        Coefficients(call.Input(A), 2), Tokens(call.Input(X)), Coefficients(call.Input(B), 1), Rows(call.Input(F)), Tokens(call.OutputGradient(0)),
        Tokens(call.InputGradient(X)), call.Accumulates(X), Rows(call.InputGradient(F)), call.Accumulates(F),
        Coefficients(call.InputGradient(A), 2), call.Accumulates(A), Coefficients(call.InputGradient(B), 1), call.Accumulates(B)));

    internal static IEnumerable<OpCase> Cases()
    {
        yield return Case("", 1, 3, 3, 2, 5);
        yield return Case("", 2, 2, 4, 4, 83);
        yield return new OpCase("mix-streams, one matrix for all tokens", [new OpInput([2, 3]) { Values = [1, 0, -2, 0.5, 1, 1], IsTable = true }, OpInput.Real(2, 3, 3, 17)],
            (tape, t) => Record(tape, t[0], t[1]), a => Reference([.. Enumerable.Repeat(a[0], 6).SelectMany(c => c)], a[1], null, null, 6, 2, 3, 17));
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        yield return Case(s.Name + " read ", s.Batch, s.Time, 1, 4, s.Width, hasValue: false);
        yield return Case(s.Name + " join ", s.Batch, s.Time, 4, 4, s.Width);
    }

    private static OpCase Case(string shape, int batch, int time, int outputs, int inputs, int width, bool hasValue = true)
    {
        OpInput[] given = [OpInput.Real(batch, time, outputs, inputs), OpInput.Real(batch, time, inputs, width), OpInput.Real(batch, time, outputs), OpInput.Real(batch, time, width)];
        return new OpCase(
            $"mix-streams {shape}[{batch}, {time}, {inputs} to {outputs}, {width}]",
            hasValue ? given : given[..2],
            (tape, t) => hasValue ? Record(tape, t[0], t[1], t[2], t[3]) : Record(tape, t[0], t[1]),
            a => Reference(a[0], a[1], hasValue ? a[2] : null, hasValue ? a[3] : null, batch * time, outputs, inputs, width));
    }

    private static View Tokens(in View view) => view.IsNone ? view : view.With(view.Layout.Reshape(view.Layout[0] * view.Layout[1], view.Layout[2], view.Layout[3]));

    private static View Rows(in View view) => view.IsNone ? view : view.With(view.Layout.Reshape(checked((int)view.Layout.Rows), view.Layout[-1]));

    // [B, T, ..] to [N, ..]; what is one for all tokens has as many dimensions as a token's part.
    private static View Coefficients(in View view, int rank)
    {
        if (view.IsNone || view.Layout.Rank == rank)
        {
            return view;
        }

        int tokens = view.Layout[0] * view.Layout[1];
        return view.With(rank == 1 ? view.Layout.Reshape(tokens, view.Layout[2]) : view.Layout.Reshape(tokens, view.Layout[2], view.Layout[3]));
    }

    private static double[] Reference(double[] a, double[] x, double[]? b, double[]? f, int tokens, int outputs, int inputs, int width) =>
        [.. Enumerable.Range(0, tokens * outputs * width).Select(i =>
        {
            int c = i % width, row = i / width, token = row / outputs;
            double sum = b is null ? 0 : b[row] * f![(token * width) + c];
            return sum + Enumerable.Range(0, inputs).Sum(j => a[(row * inputs) + j] * x[(((token * inputs) + j) * width) + c]);
        })];
}
