using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;

namespace NanoFold.Engine.Ops;

/// <summary>
/// y = (x − μ) · r ⊙ g + b with r = rsqrt(var + ε) over the last dimension (arXiv 1607.06450). x [.., D], g and b [D] or none.
/// With x̂ = (x − μ) r and h = dy ⊙ g: dx = r · (h − mean(h) − x̂ · mean(h ⊙ x̂)), dg += Σ dy ⊙ x̂, db += Σ dy. A gain from one is 1 + g.
/// </summary>
public sealed class LayerNormOp(Backend backend, double epsilon, bool gainFromOne = false) : Op
{
    private readonly IKernel<LayerNormCall> _forward = backend.Require<LayerNormCall>();
    private readonly IKernel<LayerNormBackwardCall> _backward = backend.Require<LayerNormBackwardCall>();

    public override string Name => "layer-norm";

    public static Tensor Record(Tape tape, Tensor x, Tensor gain, Tensor bias, double epsilon, bool gainFromOne = false) => RecordWithScale(tape, x, gain, bias, epsilon, gainFromOne).Y;

    /// <summary>The same, and μ and r of each row, [N, 2] in the type of sums.</summary>
    public static (Tensor Y, Tensor Statistics) RecordWithScale(Tape tape, Tensor x, Tensor gain, Tensor bias, double epsilon, bool gainFromOne = false)
    {
        if ((!gain.IsNone && gain.Layout.Count != x[-1]) || (!bias.IsNone && bias.Layout.Count != x[-1]))
        {
            throw new ArgumentException($"layer-norm: x {x}, gain {gain}, bias {bias}; expected [.., D], [D] or none, [D] or none");
        }

        var op = new LayerNormOp(tape.Backend, epsilon, gainFromOne && !gain.IsNone);
        Tensor[] both = tape.Record(op, [x, gain, bias], [(x.Layout, tape.Type), (Layout.Of(checked((int)x.Layout.Rows), 2), tape.Type.Sum())]);
        return (both[0], both[1]);
    }

    public override bool BackwardReadsInput(int input) => input != 2;

    public override bool BackwardReadsOutput(int output) => output == 1;

    public override bool IsBranch => true;

    public override void Forward(Backend backend, OpCall call) =>
        _forward.Run(Call(call, gainFromOne ? GainFromOne.Make(backend, call.Input(1), call.Scratch) : call.Input(1)));

    public override PreparedCall? Prepare(Backend backend, OpCall call) => gainFromOne ? null : _forward.Prepare(Call(call, call.Input(1)));

    public override void Backward(Backend backend, OpCall call)
    {
        call.ZeroUnlessAccumulating(backend, 1);
        call.ZeroUnlessAccumulating(backend, 2);
        LayerNormBackwardCall gradient = Gradient(call);
        _backward.Run(gainFromOne ? gradient with { Gain = GainFromOne.Make(backend, call.Input(1), call.Scratch, _backward.ScratchBytes(gradient)) } : gradient);
    }

    public override long ForwardScratchBytes(Node node) => gainFromOne ? GainFromOne.Bytes(node.Inputs[1]) : 0;

    public override long BackwardScratchBytes(Node node) => _backward.ScratchBytes(Gradient(OpCall.OfShapes(node))) + ForwardScratchBytes(node);

    internal static IEnumerable<OpCase> Cases()
    {
        foreach ((int rows, int width) in new[] { (3, 2), (3, 17), (37, 64), (5, 257) })
        {
            yield return new OpCase($"layer-norm [{rows}, {width}]", [OpInput.Real(rows, width), OpInput.Weight(width), OpInput.Weight(width)],
                (tape, t) => Record(tape, t[0], t[1], t[2], 1e-5), a => Reference(a[0], a[1], a[2], width)) { Tolerance = 2e-5 };
        }

        yield return new OpCase("layer-norm without bias [5, 33]", [OpInput.Real(5, 33), OpInput.Weight(33)],
            (tape, t) => Record(tape, t[0], t[1], default, 1e-5), a => Reference(a[0], a[1], null, 33)) { Tolerance = 2e-5 };
        yield return new OpCase("layer-norm with a gain from one [7, 33]", [OpInput.Real(7, 33), OpInput.Weight(33), OpInput.Weight(33)],
            (tape, t) => Record(tape, t[0], t[1], t[2], 1e-5, gainFromOne: true), a => Reference(a[0], [.. a[1].Select(g => 1 + g)], a[2], 33)) { Tolerance = 2e-5 };
        yield return new OpCase("layer-norm without gain [5, 33]", [OpInput.Real(5, 33)],
            (tape, t) => Record(tape, t[0], default, default, 1e-5), a => Reference(a[0], null, null, 33)) { Tolerance = 2e-5 };
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        yield return new OpCase($"layer-norm {s.Name} [{s.Tokens}, {s.Width}]", [OpInput.Real(s.Tokens, s.Width), OpInput.Weight(s.Width), OpInput.Weight(s.Width)],
            (tape, t) => Record(tape, t[0], t[1], t[2], 1e-5), a => Reference(a[0], a[1], a[2], s.Width));
    }

    private LayerNormCall Call(OpCall call, in View gain) => new(call.Input(0), gain, call.Input(2), call.Output(0), call.Output(1), epsilon);

    private static LayerNormBackwardCall Gradient(OpCall call) => new(
        call.Input(0), call.Input(1), call.Output(1), call.OutputGradient(0),
        call.InputGradient(0), call.Accumulates(0), call.InputGradient(1), call.InputGradient(2), call.Scratch);

    private static double[] Reference(double[] x, double[]? gain, double[]? bias, int width) => [.. x.Chunk(width).SelectMany(row =>
    {
        double mean = row.Average(), variance = row.Average(v => (v - mean) * (v - mean));
        return row.Select((value, i) => (value - mean) / Math.Sqrt(variance + 1e-5) * (gain?[i] ?? 1) + (bias?[i] ?? 0));
    })];
}
