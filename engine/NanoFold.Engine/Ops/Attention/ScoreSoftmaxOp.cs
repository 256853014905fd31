using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Ops;

/// <summary>
/// The weights of attention whose scores have <see cref="ScoreTerms"/>, from products x [B, H, T, T]: with z = scale · x + c_t − c_s over the visible keys,
/// y = exp(z) / (Σ exp(z) + exp(sink)). dz = y ⊙ (dy − δ) with δ = Σ dy ⊙ y, dx = scale · dz, dc_t = Σ_s dz_ts − Σ_u dz_ut, dsink = −Σ (1 − Σ_s y) δ.
/// Composed of plain calls: what runs where patterns are wanted, and where a backend lacks the fused kernel.
/// </summary>
public sealed class ScoreSoftmaxOp(IKernel<TakeAlongCall> taking, double scale, Visibility visibility) : Op
{
    private const int X = 0, Seen = 1, Decay = Seen + Visibility.InputCount, Sink = Decay + 1;
    private const long Alignment = 256;

    public override string Name => "score-softmax";

    public static Tensor Record(Tape tape, Tensor x, double scale, Visibility visibility, ScoreTerms terms) => tape.Record(
        new ScoreSoftmaxOp(tape.Backend.Require<TakeAlongCall>(), scale, visibility), [x, .. visibility.Inputs, terms.Decay, terms.SinkLogits], x.Layout);

    public override bool IsDifferentiable(int input) => input is X or >= Decay;

    public override bool BackwardReadsInput(int input) => false;

    public override bool BackwardReadsOutput(int output) => true;

    public override void Forward(Backend backend, OpCall call)
    {
        View x = call.Input(X), y = call.Output(0), sink = call.Input(Sink);
        var scratch = new Pieces(call.Scratch);
        View z = x;
        if (!call.Input(Decay).IsNone)
        {
            z = scratch.Take(y.Type, y.Layout);
            Decayed(backend, x, call.Input(Decay), z, ref scratch);
        }

        backend.Softmax(z, y, scale, visibility.At(call, Seen));
        if (!sink.IsNone)
        {
            Join(backend, z, y, sink, ref scratch);
        }
    }

    public override void Backward(Backend backend, OpCall call)
    {
        View y = call.Output(0), dy = call.OutputGradient(0), dx = call.InputGradient(X), dDecay = call.InputGradient(Decay), dSink = call.InputGradient(Sink);
        var scratch = new Pieces(call.Scratch);
        if (!dx.IsNone)
        {
            backend.SoftmaxBackward(y, dy, dx, scale, call.Accumulates(X));
        }

        View square = scratch.Take(y.Type, y.Layout), rows = scratch.Take(y.Type.Sum(), Rows(y.Layout)), others = scratch.Take(y.Type.Sum(), Rows(y.Layout));
        if (!dDecay.IsNone)
        {
            backend.SoftmaxBackward(y, dy, square, 1);
            backend.Sum(square, rows);
            backend.Sum(square, others.With(Columns(y.Layout)));
            View all = dDecay.With(Layout.Of(checked((int)dDecay.Count)));
            backend.Zip(default(Difference), rows.With(all.Layout), others.With(all.Layout), all, call.Accumulates(Decay));
        }

        if (!dSink.IsNone)
        {
            backend.Zip(default(MultiplyOp.Product), y, dy, square);
            backend.Sum(square, rows);
            backend.Sum(y, others);
            backend.Zip(default(SinkShare), rows, others, rows);
            backend.Sum(rows, dSink.With(Heads(y.Layout)), call.Accumulates(Sink));
        }
    }

    public override long ForwardScratchBytes(Node node)
    {
        Layout layout = node.Outputs[0].Layout;
        DType type = node.Outputs[0].Type;
        var pieces = new Pieces(default);
        if (!node.Inputs[Decay].IsNone)
        {
            _ = pieces.Take(type, layout);
            _ = type.Is16Bit() ? pieces.Take(type.Sum(), layout) : default;
        }

        for (int i = 0; i < 4 && !node.Inputs[Sink].IsNone; i++)
        {
            _ = pieces.Take(i == 0 ? DType.Int32 : type, Rows(layout));
        }

        return pieces.Bytes;
    }

    public override long BackwardScratchBytes(Node node)
    {
        Layout layout = node.Outputs[0].Layout;
        DType type = node.Outputs[0].Type;
        var pieces = new Pieces(default);
        _ = pieces.Take(type, layout);
        _ = pieces.Take(type.Sum(), Rows(layout));
        _ = pieces.Take(type.Sum(), Rows(layout));
        return pieces.Bytes;
    }

    internal static IEnumerable<OpCase> Cases()
    {
        yield return Case("", 2, 2, 7);
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        yield return Case($"{s.Name} ", 1, s.Heads, s.Time);
    }

    private static OpCase Case(string name, int b, int h, int t) => new(
        $"score-softmax {name}[{b}, {h}, {t}, {t}]",
        [new OpInput([b, h, t, t], -4, 4), new OpInput([b, h, t]) { Values = [.. Enumerable.Range(0, b * h * t).Select(i => ((i * 7) % 16 - 8) / 8.0)], IsTable = true }, OpInput.Weight(h)],
        (tape, x) => Record(tape, x[0], 0.7, Visibility.Causal, new ScoreTerms(x[1], x[2])),
        a => Reference(a, b, h, t))
    {
        CheckGradient = false,
    };

    private void Decayed(Backend backend, in View x, in View decay, in View z, ref Pieces scratch)
    {
        View queries = decay.With(Rows(x.Layout)), keys = decay.With(Columns(x.Layout));
        if (x.Type == decay.Type)
        {
            backend.Zip(new AddDecay(1 / scale), x, queries, keys, z);
            return;
        }

        View exact = scratch.Take(decay.Type, x.Layout);
        backend.Copy(x, exact);
        backend.Zip(new AddDecay(1 / scale), exact, queries, keys, exact);
        backend.Copy(exact, z);
    }

    // Weights without the sink, times what the sink leaves of a row: σ(log-sum-exp − sink). The largest weight and its score tell the log-sum-exp.
    private void Join(Backend backend, in View z, in View y, in View sink, ref Pieces scratch)
    {
        View index = scratch.Take(DType.Int32, Rows(y.Layout)), weight = scratch.Take(y.Type, Rows(y.Layout)), score = scratch.Take(y.Type, Rows(y.Layout));
        View share = scratch.Take(y.Type, Rows(y.Layout));
        int count = checked((int)y.Layout.Rows);
        Layout flat = Layout.Of(count, y.Layout[-1]), column = Layout.Of(count, 1);
        backend.TopK(y.With(flat), weight.With(column), index.With(column));
        taking.Run(new TakeAlongCall(z.With(flat), index.With(column), score.With(column), Axis: 1, Accumulate: false));
        backend.Zip(new RestOf(scale), weight, score, sink.With(Heads(y.Layout)), share);
        backend.Zip(default(MultiplyOp.Product), y, share, y);
    }

    private static Layout Rows(in Layout x) => Layout.Of(x[0], x[1], x[2], 1);

    private static Layout Columns(in Layout x) => Layout.Of(x[0], x[1], 1, x[3]);

    private static Layout Heads(in Layout x) => Layout.Of(1, x[1], 1, 1);

    private static double[] Reference(double[][] a, int batch, int heads, int time)
    {
        var y = new double[a[0].Length];
        for (int row = 0; row < batch * heads * time; row++)
        {
            int t = row % time, pair = row / time;
            double Power(int s) => Math.Exp((0.7 * a[0][(row * time) + s]) + a[1][(pair * time) + t] - a[1][(pair * time) + s]);
            double sum = Enumerable.Range(0, t + 1).Sum(Power) + Math.Exp(a[2][pair % heads]);
            for (int s = 0; s <= t; s++)
            {
                y[(row * time) + s] = Power(s) / sum;
            }
        }

        return y;
    }

    /// <summary>Hands out scratch, or says how much of it is needed.</summary>
    private struct Pieces(View scratch)
    {
        public long Bytes { get; private set; }

        public View Take(DType type, in Layout layout)
        {
            View piece = scratch.IsNone ? default : scratch.As(type, layout, Bytes / type.Size());
            Bytes += ((layout.Count * type.Size()) + Alignment - 1) / Alignment * Alignment;
            return piece;
        }
    }

    internal readonly struct AddDecay(double perScale) : ITernaryOp
    {
        public V Invoke<V>(V x, V query, V key)
            where V : struct, ILane<V>
            => V.MultiplyAdd(query - key, V.Constant(perScale), x);
    }

    internal readonly struct RestOf(double scale) : ITernaryOp
    {
        public V Invoke<V>(V weight, V score, V sink)
            where V : struct, ILane<V>
        {
            V logSumExp = (score * V.Constant(scale)) - V.Log(weight);
            return V.Constant(1) / (V.Constant(1) + V.Exp(sink - logSumExp));
        }
    }

    internal readonly struct Difference : IBinaryOp
    {
        public V Invoke<V>(V a, V b)
            where V : struct, ILane<V>
            => a - b;
    }

    internal readonly struct SinkShare : IBinaryOp
    {
        public V Invoke<V>(V delta, V sum)
            where V : struct, ILane<V>
            => (sum - V.Constant(1)) * delta;
    }
}
