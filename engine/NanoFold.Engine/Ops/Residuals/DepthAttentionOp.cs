using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Residuals;

namespace NanoFold.Engine.Ops;

/// <summary>
/// Attention over depth (attention residuals, arXiv 2603.15031): y = Σ_i p_i v_i with p = softmax_i(⟨query, RMSNorm(v_i) ⊙ gain⟩), token by token over values v_i
/// [B, T, C] of any number; query and gain [C], p [B, T, k] in the type of sums. The gradients are those of <see cref="DepthAttentionBackwardCall"/>.
/// </summary>
public sealed class DepthAttentionOp(Backend backend, double epsilon) : Op
{
    private const int Query = 0, Gain = 1, Values = 2, Weights = 1;

    private readonly IKernel<DepthAttentionCall> _forward = backend.Require<DepthAttentionCall>();
    private readonly IKernel<DepthAttentionBackwardCall> _backward = backend.Require<DepthAttentionBackwardCall>();

    public override string Name => "depth-attention";

    /// <returns>y [B, T, C] and p [B, T, k], which is for readers only.</returns>
    public static (Tensor Y, Tensor Weights) Record(Tape tape, IReadOnlyList<Tensor> values, Tensor query, Tensor gain, double epsilon)
    {
        Tensor first = values[0];
        if (first.Layout.Rank != 3 || values.Any(v => v.Layout != first.Layout) || query.Layout.Count != first[2] || gain.Layout.Count != first[2])
        {
            throw new ArgumentException($"depth-attention: values {string.Join(", ", values)}, query {query} and gain {gain}; expected contiguous [B, T, C] of one shape, [C] and [C]");
        }

        Tensor[] outputs = tape.Record(
            new DepthAttentionOp(tape.Backend, epsilon), [query, gain, .. values],
            [(first.Layout, tape.Type), (Layout.Of(first[0], first[1], values.Count), tape.Type.Sum())]);
        return (outputs[0], outputs[1]);
    }

    public override bool BackwardReadsOutput(int output) => output == Weights;

    public override void Forward(Backend backend, OpCall call) => _forward.Run(new DepthAttentionCall(
        call.Inputs(Values), call.Input(Query), call.Input(Gain), call.Output(Weights), Rows(call.Output(0)), epsilon));

    public override void Backward(Backend backend, OpCall call)
    {
        call.ZeroUnlessAccumulating(backend, Query);
        call.ZeroUnlessAccumulating(backend, Gain);
        _backward.Run(Gradient(call));
    }

    public override long BackwardScratchBytes(Node node) => _backward.ScratchBytes(Gradient(OpCall.OfShapes(node)));

    internal static IEnumerable<OpCase> Cases()
    {
        yield return Case("", 1, 3, 5, 1);
        yield return Case("", 2, 3, 83, 11);
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s) => [Case(s.Name + " ", s.Batch, s.Time, s.Width, 9)];

    private static OpCase Case(string shape, int batch, int time, int width, int count) => new(
        $"depth-attention {shape}[{batch}, {time}, {width}] of {count}",
        [OpInput.Weight(width), OpInput.Weight(width), .. Enumerable.Repeat(OpInput.Real(batch, time, width), count)],
        (tape, t) => Record(tape, t[2..], t[0], t[1], 1e-5).Y,
        a => Reference(a[0], a[1], a[2..], batch * time, width));

    private DepthAttentionBackwardCall Gradient(OpCall call) => new(
        call.Inputs(Values), call.Input(Query), call.Input(Gain), call.Output(Weights), Rows(call.OutputGradient(0)), call.InputGradients(Values), call.AccumulatesFrom(Values),
        call.InputGradient(Query), call.InputGradient(Gain), call.Scratch, epsilon);

    private static View Rows(in View view) => view.With(view.Layout.Reshape(checked((int)view.Layout.Rows), view.Layout[-1]));

    private static double[] Reference(double[] query, double[] gain, double[][] values, int tokens, int width) =>
        [.. Enumerable.Range(0, tokens).SelectMany(t =>
        {
            double[][] v = [.. values.Select(value => value[(t * width)..((t + 1) * width)])];
            double[] scores = [.. v.Select(row => row.Select((x, c) => x * gain[c] * query[c]).Sum() / Math.Sqrt(row.Average(x => x * x) + 1e-5))];
            double[] weights = [.. scores.Select(s => Math.Exp(s) / scores.Sum(Math.Exp))];
            return Enumerable.Range(0, width).Select(c => v.Select((row, i) => weights[i] * row[c]).Sum());
        })];
}
