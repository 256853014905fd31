using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;

namespace NanoFold.Engine.Ops;

/// <summary>
/// Weights of the chosen experts: their probabilities, or other scores, divided by their sum where renormalized (Mixtral), times a scale (DeepSeek-V3). probabilities [N, E],
/// indices Int32 [N, k], weights [N, k].
/// </summary>
public sealed class ExpertWeightsOp(Backend backend, bool renormalize, double scale) : Op
{
    private readonly IKernel<ExpertWeightsCall> _forward = backend.Require<ExpertWeightsCall>();
    private readonly IKernel<ExpertWeightsBackwardCall> _backward = backend.Require<ExpertWeightsBackwardCall>();

    public override string Name => "expert-weights";

    public static Tensor Record(Tape tape, Tensor probabilities, Tensor indices, bool renormalize, double scale = 1) => tape.Record(
        new ExpertWeightsOp(tape.Backend, renormalize, scale), [probabilities, indices], indices.Layout);

    public override bool IsDifferentiable(int input) => input == 0;

    public override bool BackwardReadsOutput(int output) => true;

    public override void Forward(Backend backend, OpCall call) =>
        _forward.Run(new ExpertWeightsCall(call.Input(0), call.Input(1), call.Output(0), renormalize, scale));

    public override void Backward(Backend backend, OpCall call)
    {
        ref readonly View dProbabilities = ref call.InputGradient(0);
        View target = call.Accumulates(0) ? call.Scratch.As(dProbabilities.Type, dProbabilities.Layout.Contiguous()) : dProbabilities;
        _backward.Run(new ExpertWeightsBackwardCall(call.Input(0), call.Input(1), call.Output(0), call.OutputGradient(0), target, renormalize, scale));
        if (call.Accumulates(0))
        {
            backend.Copy(target, dProbabilities, accumulate: true);
        }
    }

    public override long BackwardScratchBytes(Node node) => node.Inputs[0].Layout.Count * node.Inputs[0].Type.Size();

    internal static IEnumerable<OpCase> Cases()
    {
        foreach ((bool renormalize, double scale) in new[] { (false, 1.0), (true, 1), (true, 2.5) })
        {
            yield return new OpCase($"expert-weights{(renormalize ? " renormalized" : "")}{(scale != 1 ? " and scaled" : "")} [5, 4]",
                [new OpInput([5, 4], 0.1, 1), new OpInput([5, 2]) { IsInteger = true, Values = [0, 1, 3, 2, 1, 3, 2, 0, 0, 3] }],
                (tape, t) => Record(tape, t[0], t[1], renormalize, scale),
                a => [.. Enumerable.Range(0, 10).Select(i =>
                {
                    double Probability(int slot) => a[0][slot / 2 * 4 + (int)a[1][slot]];
                    return scale * Probability(i) / (renormalize ? Probability(i / 2 * 2) + Probability(i / 2 * 2 + 1) : 1);
                })]);
        }
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        const int E = BlockShape.Experts;
        double[] chosen = [.. Enumerable.Range(0, s.Tokens).SelectMany(i => new double[] { i % E, (i + 1 + i / E % (E - 1)) % E })];
        yield return new OpCase($"expert-weights {s.Name} renormalized [{s.Tokens}, {E}]",
            [new OpInput([s.Tokens, E], 0.1, 1), new OpInput([s.Tokens, BlockShape.ActiveExperts]) { IsInteger = true, Values = chosen }],
            (tape, t) => Record(tape, t[0], t[1], renormalize: true),
            a => [.. a[0].Chunk(E).SelectMany((row, i) =>
            {
                (double first, double second) = (row[(int)chosen[2 * i]], row[(int)chosen[2 * i + 1]]);
                return new[] { first / (first + second), second / (first + second) };
            })]);
    }
}
