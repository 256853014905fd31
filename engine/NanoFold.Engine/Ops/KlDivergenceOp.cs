using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Ops;

/// <summary>
/// kl [N] = Σ_v p_v (ln p_v − ln q_v) of each row, in nats, p = softmax(a) and q = softmax(b): the relative entropy KL(p ‖ q); 0 for rows without a mark. a and b
/// [N, V], marks Int32 [N], −1 for none. dA = dKl · p ⊙ (ln p − ln q − kl), dB = dKl · (q − p). Probabilities are computed in the type of sums, of a chunk of rows at a time.
/// </summary>
public sealed class KlDivergenceOp(IKernel<IntegerConversionCall>? toReal) : Op
{
    private const int A = 0, B = 1, Marks = 2;

    public override string Name => "kl-divergence";

    /// <param name="tape">Where to record.</param>
    /// <param name="a">Logits of the distribution that is averaged over, [.., V].</param>
    /// <param name="b">Logits of the other, [.., V]. A gradient flows to each that needs one.</param>
    /// <param name="marks">Int32 [..], as targets are: −1 for places that do not count; none where all do.</param>
    /// <returns>[N], N = the rows of a.</returns>
    public static Tensor Record(Tape tape, Tensor a, Tensor b, Tensor marks = default)
    {
        if (!a.Layout.SameShape(b.Layout) || !(marks.IsNone || marks.Layout.Count == a.Layout.Rows))
        {
            throw new ArgumentException($"kl-divergence: a {a}, b {b}, marks {marks}; expected [.., V] twice and [..]");
        }

        int rows = checked((int)a.Layout.Rows), width = a[-1];
        var op = new KlDivergenceOp(marks.IsNone ? null : tape.Backend.Require<IntegerConversionCall>());
        return tape.Record(
            op, [a.Reshape(rows, width), b.Reshape(rows, width), marks.IsNone ? marks : marks.Reshape(rows)], [(Layout.Of(rows), tape.Type.Sum())])[0];
    }

    /// <summary>
    /// Records weight · Σ KL(a ‖ b) / targets of the step and adds it to the tape's losses: as a penalty on a policy a that drifts from its reference b, or the
    /// other way round.
    /// </summary>
    /// <param name="tape">Where to record.</param>
    /// <param name="a">As in <see cref="Record"/>.</param>
    /// <param name="b">As in <see cref="Record"/>.</param>
    /// <param name="targets">Those of the loss: places with −1 do not count.</param>
    /// <param name="weight">A slot of the tape's state that holds the weight, which may change from step to step (<see cref="StepState.Add"/>).</param>
    /// <param name="key">Under which the term is reported.</param>
    /// <returns>Each place's nats [N], and the term [1].</returns>
    public static (Tensor Rows, Tensor Term) RecordTerm(Tape tape, Tensor a, Tensor b, Tensor targets, StepSlot weight, string key = "klLoss")
    {
        Tensor rows = Record(tape, a, b, targets), term = LossTermOp.Record(tape, rows, key, weight: weight, perTarget: true);
        tape.AddLoss(term);
        return (rows, term);
    }

    public override bool IsDifferentiable(int input) => input < Marks;

    public override bool BackwardReadsOutput(int output) => true;

    public override void Forward(Backend backend, OpCall call)
    {
        foreach (RowChunk chunk in Chunks(call))
        {
            (View p, View q, View mark) = Softmaxes(backend, call, chunk);
            View kl = chunk.Column(call.Output(0));
            backend.Zip(default(Share), p, q, p);
            backend.Sum(p, kl);
            if (toReal is not null)
            {
                toReal.Run(new IntegerConversionCall(chunk.Column(call.Input(Marks)), mark));
                backend.Zip(default(WhereMarked), kl, mark, kl);
            }
        }
    }

    public override void Backward(Backend backend, OpCall call)
    {
        foreach (RowChunk chunk in Chunks(call))
        {
            (View p, View q, View scale) = Softmaxes(backend, call, chunk);
            View dKl = chunk.Column(call.OutputGradient(0));
            if (toReal is null)
            {
                backend.Copy(dKl, scale);
            }
            else
            {
                toReal.Run(new IntegerConversionCall(chunk.Column(call.Input(Marks)), scale));
                backend.Zip(default(WhereMarked), dKl, scale, scale);
            }

            // That of b first: the other one is made where p stands.
            if (!call.InputGradient(B).IsNone)
            {
                Write(backend, default(Difference), q, p, scale, chunk, call, B);
            }

            if (!call.InputGradient(A).IsNone)
            {
                backend.Zip(default(Excess), p, q, chunk.Column(call.Output(0)), p);
                Write(backend, default(Times), p, p, scale, chunk, call, A);
            }
        }
    }

    // p, q and, where gradients have 16 bits, one table more.
    public override long ForwardScratchBytes(Node node) => RowChunk.Bytes(Tables(node.Inputs[A].Type), node.Inputs[A][0], node.Inputs[A][1], node.Inputs[A].Type.Sum());

    public override long BackwardScratchBytes(Node node) => ForwardScratchBytes(node);

    internal static IEnumerable<OpCase> Cases()
    {
        foreach ((int rows, int width) in new[] { (1, 2), (5, 17), (3, 257) })
        {
            yield return new OpCase($"kl-divergence [{rows}, {width}]", [new OpInput([rows, width], -4, 4), new OpInput([rows, width], -4, 4)],
                (tape, t) => Record(tape, t[0], t[1]), a => Reference(a[0], a[1], width, _ => true)) { Tolerance = 1e-5 };
        }

        yield return new OpCase("kl-divergence of marked rows [2, 3, 9]",
            [new OpInput([2, 3, 9], -4, 4), new OpInput([2, 3, 9], -4, 4), new OpInput([2, 3]) { IsInteger = true, Values = [0, -1, 5, 2, -1, 0] }],
            (tape, t) => Record(tape, t[0], t[1], t[2]), a => Reference(a[0], a[1], 9, row => a[2][row] >= 0)) { Tolerance = 1e-5 };
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        yield return new OpCase($"kl-divergence {s.Name} [{s.Tokens}, {s.Vocab}]", [new OpInput([s.Tokens, s.Vocab], -4, 4), new OpInput([s.Tokens, s.Vocab], -4, 4)],
            (tape, t) => Record(tape, t[0], t[1]), a => Reference(a[0], a[1], s.Vocab, _ => true));
    }

    private static int Tables(DType type) => type.Is16Bit() ? 3 : 2;

    private static RowChunk.Sequence Chunks(OpCall call)
    {
        View a = call.Input(A);
        return RowChunk.Of(call, a.Layout[0], a.Layout[1], a.Type.Sum());
    }

    // Both distributions, and room for a number for each row.
    private static (View P, View Q, View Numbers) Softmaxes(Backend backend, OpCall call, in RowChunk chunk)
    {
        View p = chunk.Table(0), q = chunk.Table(1);
        Softmax(backend, chunk.Of(call.Input(A)), p);
        Softmax(backend, chunk.Of(call.Input(B)), q);
        return (p, q, chunk.Numbers(Tables(call.Input(A).Type)));
    }

    private static void Softmax(Backend backend, in View logits, in View y)
    {
        if (logits.Type == y.Type)
        {
            backend.Softmax(logits, y, 1, default);
            return;
        }

        backend.Copy(logits, y);
        backend.Softmax(y, y, 1, default);
    }

    // Gradients of 16 bits are rounded once, when all is multiplied.
    private static void Write<TOp>(Backend backend, TOp op, in View a, in View b, in View scale, in RowChunk chunk, OpCall call, int input)
        where TOp : struct, ITernaryOp
    {
        View gradient = chunk.Of(call.InputGradient(input));
        if (gradient.Type == a.Type)
        {
            backend.Zip(op, a, b, scale, gradient, call.Accumulates(input));
            return;
        }

        View rest = chunk.Table(2);
        backend.Zip(op, a, b, scale, rest);
        backend.Copy(rest, gradient, call.Accumulates(input));
    }

    private static double[] Reference(double[] a, double[] b, int width, Func<int, bool> isMarked) =>
    [
        .. a.Chunk(width).Zip(b.Chunk(width)).Select((row, i) =>
        {
            double sumA = row.First.Sum(Math.Exp), sumB = row.Second.Sum(Math.Exp);
            return isMarked(i) ? row.First.Zip(row.Second).Sum(v => Math.Exp(v.First) / sumA * (v.First - Math.Log(sumA) - v.Second + Math.Log(sumB))) : 0;
        }),
    ];

    /// <summary>p (ln p − ln q): 0 where p is.</summary>
    internal readonly struct Share : IBinaryOp
    {
        public V Invoke<V>(V p, V q)
            where V : struct, ILane<V>
            => p * LogRatio(p, q);
    }

    /// <summary>p (ln p − ln q − kl).</summary>
    internal readonly struct Excess : ITernaryOp
    {
        public V Invoke<V>(V p, V q, V kl)
            where V : struct, ILane<V>
            => p * (LogRatio(p, q) - kl);
    }

    /// <summary>(q − p) · s.</summary>
    internal readonly struct Difference : ITernaryOp
    {
        public V Invoke<V>(V q, V p, V s)
            where V : struct, ILane<V>
            => (q - p) * s;
    }

    /// <summary>x · s.</summary>
    internal readonly struct Times : ITernaryOp
    {
        public V Invoke<V>(V x, V again, V s)
            where V : struct, ILane<V>
            => x * s;
    }

    /// <summary>x where the mark is at least 0, otherwise 0.</summary>
    internal readonly struct WhereMarked : IBinaryOp
    {
        public V Invoke<V>(V x, V mark)
            where V : struct, ILane<V>
            => V.SelectGreater(mark, V.Constant(-0.5), x, V.Constant(0));
    }

    // Probabilities below the smallest normal number in single precision count as that.
    private static V LogRatio<V>(V p, V q)
        where V : struct, ILane<V>
        => V.Log(V.Max(p, V.Constant(1.2e-38))) - V.Log(V.Max(q, V.Constant(1.2e-38)));
}
