using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;

namespace NanoFold.Engine.Ops;

/// <summary>
/// The k experts of each token: those with the largest score + bias, of all or of those in its worthiest groups; no gradient. scores [N, E], bias [E] in the type of sums or none,
/// indices Int32 [N, k]. See <see cref="ExpertChoiceCall"/>.
/// </summary>
public sealed class ExpertChoiceOp(IKernel<ExpertChoiceCall> kernel, int groups, int activeGroups) : Op
{
    public override string Name => "expert-choice";

    public static Tensor Record(Tape tape, Tensor scores, Tensor bias, int k, int groups = 1, int activeGroups = 1) => tape.Record(
        new ExpertChoiceOp(tape.Backend.Require<ExpertChoiceCall>(), groups, activeGroups), [scores, bias], [(Layout.Of(scores[0], k), DType.Int32)])[0];

    public override bool IsDifferentiable(int input) => false;

    public override void Forward(Backend backend, OpCall call) =>
        kernel.Run(new ExpertChoiceCall(call.Input(0), call.Input(1), call.Output(0), groups, activeGroups));

    // Whole numbers are seen by what follows: each choice's own element of a table.
    internal static IEnumerable<OpCase> Cases()
    {
        // Exact in 16 bits, with ties.
        double[] scores = [.. Enumerable.Range(0, 5 * 8).Select(i => i * 7 % 40 / 64.0)], bias = [0.25, -0.625, 0, 0.125, -0.75, 0.3125, -0.1875, 0];
        foreach ((int groups, int active, bool isBiased) in new[] { (1, 1, true), (4, 2, true), (2, 1, false) })
        {
            yield return new OpCase($"expert-choice 3 of [5, 8]{(groups > 1 ? $" in {active} of {groups} groups" : "")}{(isBiased ? " with bias" : "")}",
                [new OpInput([5, 8]) { Values = scores }, new OpInput([8]) { Values = bias, IsTable = true }, OpInput.Real(8, 2)],
                (tape, t) => EmbeddingOp.Record(tape, t[2], Record(tape, t[0], isBiased ? t[1] : default, 3, groups, active).Reshape(15)),
                a => [.. a[0].Chunk(8).SelectMany(row => Chosen([.. row.Select((s, e) => s + (isBiased ? a[1][e] : 0))], 3, groups, active))
                    .SelectMany(e => a[2].AsSpan(2 * e, 2).ToArray())])
            { CheckGradient = false };
        }
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        const int E = BlockShape.Experts;
        yield return new OpCase($"expert-choice {s.Name} [{s.Tokens}, {E}]", [OpInput.Real(s.Tokens, E), OpInput.Real(s.Tokens, BlockShape.ActiveExperts)],
            (tape, t) => ExpertWeightsOp.Record(tape, t[0], Record(tape, t[0], default, BlockShape.ActiveExperts), renormalize: false),
            a => [.. a[0].Chunk(E).SelectMany(row => row.OrderDescending().Take(BlockShape.ActiveExperts))])
        { CheckGradient = false };
    }

    private static IEnumerable<int> Chosen(double[] values, int k, int groups, int active)
    {
        int size = values.Length / groups;
        double[] worths = [.. values.Chunk(size).Select(group => group.OrderDescending().Take(2).Sum())];
        int[] kept = [.. Enumerable.Range(0, groups).OrderByDescending(g => worths[g]).Take(groups > 1 ? active : 1)];
        return Enumerable.Range(0, values.Length).OrderByDescending(e => kept.Contains(e / size) ? values[e] : 0).Take(k);
    }
}
