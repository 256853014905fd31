using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Engine.Ops;

/// <summary>
/// loss [1] = factor · mean KL(p ‖ softmax of the index scores) / MicroBatchCount, over listed keys or all that are visible; see <see cref="IndexLossCall"/>. p, the
/// attention averaged over heads, is a constant: gradients flow to the indexer's operands alone, and are made with the loss. Reported as <c>indexLoss</c>.
/// </summary>
public sealed class IndexLossOp(Backend backend, StepSlot term, double factor, double indexScale, double scale, int keySize, Visibility visibility) : Op
{
    private const int Indexer = 3;

    private readonly IKernel<IndexLossCall> _forward = backend.Require<IndexLossCall>();
    private readonly IKernel<IndexLossBackwardCall> _backward = backend.Require<IndexLossBackwardCall>();

    public override string Name => "index-loss";

    /// <param name="tape">Where to record.</param>
    /// <param name="index">Queries [B, T, I, E], keys [B, T, 1, E] and weights [B, T, I] of the indexer.</param>
    /// <param name="indexScale">Factor on its products.</param>
    /// <param name="q">[B, T, H, D].</param>
    /// <param name="k">[B, T, G, D].</param>
    /// <param name="scale">Factor on the scores.</param>
    /// <param name="kept">Lists that all heads share, or none for all that is visible.</param>
    /// <param name="factor">Of the loss.</param>
    /// <param name="visibility">What a query sees.</param>
    public static Tensor Record(
        Tape tape, (Tensor Q, Tensor K, Tensor Weights) index, double indexScale, Tensor q, Tensor k, double scale, KeyList kept, double factor, Visibility visibility)
        => tape.Record(
            new IndexLossOp(tape.Backend, tape.AddLossTerm("indexLoss"), factor, indexScale, scale, Math.Max(1, kept.KeySize), visibility),
            [index.Q, index.K, index.Weights, q, k, kept.Lists, .. visibility.Inputs],
            [(Layout.Of(1), tape.Type.Sum()), (index.Q.Layout, tape.Type), (index.K.Layout, tape.Type), (index.Weights.Layout, tape.Type)])[0];

    public override bool HasSideEffects => true;

    public override bool IsDifferentiable(int input) => input < Indexer;

    public override bool BackwardReadsInput(int input) => false;

    public override bool BackwardReadsOutput(int output) => output > 0;

    public override void Forward(Backend backend, OpCall call) => _forward.Run(Call(call, call.Scratch));

    public override void Backward(Backend backend, OpCall call)
    {
        for (int i = 0; i < Indexer; i++)
        {
            if (!call.InputGradient(i).IsNone)
            {
                _backward.Run(new IndexLossBackwardCall(call.Output(i + 1), call.OutputGradient(0), call.InputGradient(i), call.Accumulates(i)));
            }
        }
    }

    public override long ForwardScratchBytes(Node node) => _forward.ScratchBytes(Call(OpCall.OfShapes(node), default));

    private IndexLossCall Call(OpCall call, View scratch) => new()
    {
        State = call.State,
        Term = term,
        IndexQ = call.Input(0),
        IndexK = call.Input(1),
        Weights = call.Input(2),
        Q = call.Input(3),
        K = call.Input(4),
        Kept = new KeptKeys(call.Input(5), keySize, default, default),
        IndexScale = indexScale,
        Scale = scale,
        Factor = factor,
        Visible = visibility.At(call, 6),
        Loss = call.Output(0),
        DIndexQ = call.Output(1),
        DIndexK = call.Output(2),
        DWeights = call.Output(3),
        Scratch = scratch,
    };

    internal static IEnumerable<OpCase> Cases()
    {
        yield return Case("all keys", (2, 7, 4, 2, 3), (2, 3), keep: 0);
        yield return Case("3 keys", (2, 7, 4, 2, 3), (2, 3), keep: 3);
        yield return Case("3 keys", (2, 7, 2, 1, 3), (3, 3), keep: 3);
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        yield return Case($"{s.Name} {s.Time / 8} keys", (s.Batch, s.Time, s.Heads, s.Heads, s.HeadDim), (4, s.HeadDim / 2), keep: s.Time / 8);
    }

    private static OpCase Case(string keys, (int Batch, int Time, int Heads, int KeyHeads, int Depth) attention, (int Heads, int Depth) index, int keep)
    {
        ((int B, int T, int H, int G, int D), (int I, int E)) = (attention, index);
        double[] q = Fixed(B * T * H * D, 3), k = Fixed(B * T * G * D, 5);
        // The lists are data: every other key, ending with the query's own.
        double[] lists = [.. Enumerable.Range(0, B * T).SelectMany(row => List(row % T, keep))];
        OpInput[] inputs =
        [
            OpInput.Real(B, T, I, E), OpInput.Real(B, T, 1, E), OpInput.Real(B, T, I), new OpInput([B, T, H, D]) { Values = q }, new OpInput([B, T, G, D]) { Values = k },
            .. keep > 0 ? [new OpInput([B, 1, T, keep]) { IsInteger = true, Values = lists }] : Array.Empty<OpInput>(),
        ];
        return new OpCase($"index-loss over {keys} [{B}, {T}, {H}/{G}, {D}], {I} of {E}", inputs,
            (tape, x) => Record(tape, (x[0], x[1], x[2]), 0.7, x[3], x[4], 0.9, keep > 0 ? new KeyList(x[5]) : default, 2.5, Visibility.Causal),
            a => [.. Enumerable.Range(0, B * T).Select(row => Divergence(a, row, [.. List(row % T, keep).Where(j => j >= 0).Select(j => (int)j)])).Chunk(B * T).Select(c => 2.5 * c.Average())]);

        static IEnumerable<double> List(int t, int keep)
            => keep == 0 ? Enumerable.Range(0, t + 1).Select(j => (double)j) : Enumerable.Range(0, keep).Select(i => t - (2.0 * (keep - 1 - i))).Where(j => j >= 0).Concat(Enumerable.Repeat(-1.0, keep)).Take(keep);

        double Divergence(double[][] a, int row, int[] listed)
        {
            int first = row / T * T;
            double Product(double[] x, int i, double[] y, int j, int n) => Enumerable.Range(0, n).Sum(e => x[(i * n) + e] * y[(j * n) + e]);
            double[] p = [.. listed.Select(_ => 0.0)];
            for (int h = 0; h < H; h++)
            {
                double[] powers = [.. listed.Select(j => Math.Exp(0.9 * Product(a[3], (row * H) + h, a[4], ((first + j) * G) + (h / (H / G)), D)))];
                p = [.. p.Zip(powers, (sum, power) => sum + (power / powers.Sum() / H))];
            }

            double[] scores = [.. listed.Select(j => Enumerable.Range(0, I).Sum(i => a[2][(row * I) + i] * Math.Max(0, 0.7 * Product(a[0], (row * I) + i, a[1], first + j, E))))];
            double logSum = Math.Log(scores.Sum(Math.Exp));
            return p.Zip(scores, (share, score) => share * (Math.Log(share) - score + logSum)).Sum();
        }
    }

    private static double[] Fixed(int count, int step) => [.. Enumerable.Range(0, count).Select(i => ((i * step % 17) - 8) / 8.0)];
}
