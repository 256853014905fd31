using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Ops;

/// <summary>
/// y = x · r ⊙ g with r = rsqrt(mean(x²) + ε) over the last dimension (arXiv 1910.07467). x [.., D], g [D] or none.
/// dx = r · (dy ⊙ g − x · r² · mean(dy ⊙ g ⊙ x)), dg += Σ dy ⊙ x · r. <see cref="ToLength"/> takes sums in place of the means. A gain from one is 1 + g.
/// </summary>
public sealed class RmsNormOp(Backend backend, double epsilon, bool toLength, bool gainFromOne = false) : Op
{
    private readonly IKernel<RmsNormCall> _forward = backend.Require<RmsNormCall>();
    private readonly IKernel<RmsNormBackwardCall> _backward = backend.Require<RmsNormBackwardCall>();

    public override string Name => "rms-norm";

    public static Tensor Record(Tape tape, Tensor x, Tensor gain, double epsilon, bool gainFromOne = false) => Record(tape, x, gain, epsilon, toLength: false, gainFromOne)[0];

    /// <summary>The same, and r of each row, [N, 1] in the type of sums.</summary>
    public static (Tensor Y, Tensor Statistics) RecordWithScale(Tape tape, Tensor x, Tensor gain, double epsilon, bool gainFromOne = false)
    {
        Tensor[] both = Record(tape, x, gain, epsilon, toLength: false, gainFromOne);
        return (both[0], both[1]);
    }

    /// <summary>Rows of length 1: y = x · rsqrt(Σ x² + ε) over the last dimension.</summary>
    public static Tensor ToLength(Tape tape, Tensor x, double epsilon) => Record(tape, x, default, epsilon, toLength: true, gainFromOne: false)[0];

    private static Tensor[] Record(Tape tape, Tensor x, Tensor gain, double epsilon, bool toLength, bool gainFromOne)
    {
        if (!gain.IsNone && gain.Layout.Count != x[-1])
        {
            throw new ArgumentException($"rms-norm: x {x} and gain {gain}; expected [.., D] and [D]");
        }

        var op = new RmsNormOp(tape.Backend, epsilon, toLength, gainFromOne && !gain.IsNone);
        return tape.Record(op, [x, gain], [(x.Layout, tape.Type), (Layout.Of(checked((int)x.Layout.Rows), 1), tape.Type.Sum())]);
    }

    public override bool BackwardReadsOutput(int output) => output == 1;

    public override bool IsBranch => true;

    public override void Forward(Backend backend, OpCall call) =>
        _forward.Run(Call(call, gainFromOne ? GainFromOne.Make(backend, call.Input(1), call.Scratch) : call.Input(1)));

    public override PreparedCall? Prepare(Backend backend, OpCall call) => gainFromOne ? null : _forward.Prepare(Call(call, call.Input(1)));

    public override void Backward(Backend backend, OpCall call)
    {
        call.ZeroUnlessAccumulating(backend, 1);
        RmsNormBackwardCall gradient = Gradient(call);
        _backward.Run(gainFromOne ? gradient with { Gain = GainFromOne.Make(backend, call.Input(1), call.Scratch, _backward.ScratchBytes(gradient)) } : gradient);
    }

    public override long ForwardScratchBytes(Node node) => gainFromOne ? GainFromOne.Bytes(node.Inputs[1]) : 0;

    public override long BackwardScratchBytes(Node node) => _backward.ScratchBytes(Gradient(OpCall.OfShapes(node))) + ForwardScratchBytes(node);

    internal static IEnumerable<OpCase> Cases()
    {
        foreach ((int rows, int width) in new[] { (1, 1), (3, 17), (37, 64), (5, 257) })
        {
            yield return new OpCase($"rms-norm [{rows}, {width}]", [OpInput.Real(rows, width), OpInput.Weight(width)],
                (tape, t) => Record(tape, t[0], t[1], 1e-5), a => Reference(a[0], a[1], width));
        }

        yield return new OpCase("rms-norm without gain", [OpInput.Real(4, 33)],
            (tape, t) => Record(tape, t[0], default, 1e-5), a => Reference(a[0], null, 33));
        yield return new OpCase("rms-norm with a gain from one [7, 33]", [OpInput.Real(7, 33), OpInput.Weight(33)],
            (tape, t) => Record(tape, t[0], t[1], 1e-5, gainFromOne: true), a => Reference(a[0], [.. a[1].Select(g => 1 + g)], 33));
        yield return new OpCase("rms-norm of strided heads", [OpInput.Real(3, 5, 24)],
            (tape, t) => Record(tape, t[0].Slice(2, 8, 8).SplitLast(2), default, 1e-5),
            a => Reference([.. a[0].Where((_, i) => i % 24 is >= 8 and < 16)], null, 4));
        yield return new OpCase("rms-norm to length 1", [OpInput.Real(2, 3, 19)],
            (tape, t) => ToLength(tape, t[0], 1e-6), a => [.. a[0].Chunk(19).SelectMany(row => row.Select(v => v / Math.Sqrt(row.Sum(u => u * u) + 1e-6)))]);
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        yield return new OpCase($"rms-norm {s.Name} [{s.Tokens}, {s.Width}]", [OpInput.Real(s.Tokens, s.Width), OpInput.Weight(s.Width)],
            (tape, t) => Record(tape, t[0], t[1], 1e-5), a => Reference(a[0], a[1], s.Width));
        yield return new OpCase($"rms-norm {s.Name} of heads [{s.Tokens}, {s.Heads}, {s.HeadDim}]", [OpInput.Real(s.Tokens, s.Heads, s.HeadDim), OpInput.Weight(s.HeadDim)],
            (tape, t) => Record(tape, t[0], t[1], 1e-5), a => Reference(a[0], a[1], s.HeadDim));
    }

    private RmsNormCall Call(OpCall call, in View gain) => new(call.Input(0), gain, call.Output(0), call.Output(1), epsilon) { ToLength = toLength };

    private RmsNormBackwardCall Gradient(OpCall call) => new(
        call.Input(0), call.Input(1), call.Output(1), call.OutputGradient(0), call.InputGradient(0), call.Accumulates(0), call.InputGradient(1), call.Scratch)
    { ToLength = toLength };

    private static double[] Reference(double[] x, double[]? gain, int width) => [.. x.Chunk(width).SelectMany(row =>
    {
        double rms = Math.Sqrt(row.Sum(v => v * v) / width + 1e-5);
        return row.Select((value, i) => value / rms * (gain?[i] ?? 1));
    })];
}

/// <summary>Gains of norms that are learned as their distance from 1: 1 + g [D], made where a norm is about to run.</summary>
internal static class GainFromOne
{
    /// <summary>Scratch memory that it takes.</summary>
    public static long Bytes(Tensor gain) => gain.Layout.Count * gain.Type.Size();

    /// <summary>1 + g in scratch memory, after so many bytes of it.</summary>
    public static View Make(Backend backend, in View gain, in View scratch, long after = 0)
    {
        View made = scratch.As(gain.Type, gain.Layout, after / gain.Type.Size());
        backend.Map(default(PlusOne), gain, made);
        return made;
    }

    internal readonly struct PlusOne : IUnaryOp
    {
        public V Invoke<V>(V x)
            where V : struct, ILane<V>
            => x + V.Constant(1);
    }
}
