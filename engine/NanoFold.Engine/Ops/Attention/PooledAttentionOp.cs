using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Engine.Ops;

/// <summary>
/// Attention over means of blocks that have ended: see <see cref="PooledAttentionCall"/>. q [B, T, H, D], k [B, N, G, D], v [B, N, G, DV] to y [B, T, H, DV]
/// and the log-sum-exp of each row's scores [B, H, T].
/// </summary>
public sealed class PooledAttentionOp(IKernel<PooledAttentionCall> kernel, IKernel<PooledAttentionBackwardCall> backwardKernel, double scale, int size) : Op
{
    private const int Q = 0, K = 1, V = 2, Documents = 3, Positions = 4, Counts = 5;

    public override string Name => "pooled-attention";

    /// <param name="tape">Where to record.</param>
    /// <param name="q">[B, T, H, D].</param>
    /// <param name="k">Means of keys, [B, N, G, D].</param>
    /// <param name="v">Means of values, [B, N, G, DV].</param>
    /// <param name="size">Tokens of a block.</param>
    /// <param name="scale">Factor on the scores.</param>
    /// <param name="documents">Document of each token, Int32 [B, T], or none.</param>
    /// <param name="positions">While decoding, position of each row's first query, Int32 [B].</param>
    /// <param name="counts">While decoding, queries of each row, Int32 [B].</param>
    public static (Tensor Y, Tensor LogSumExp) Record(
        Tape tape, Tensor q, Tensor k, Tensor v, int size, double scale, Tensor documents = default, Tensor positions = default, Tensor counts = default)
    {
        bool fits = q.Layout.Rank == 4 && k.Layout.Rank == 4 && v.Layout.Rank == 4 && q[0] == k[0] && q[3] == k[3] && q[2] % k[2] == 0
            && k[0] == v[0] && k[1] == v[1] && k[2] == v[2];
        if (!fits)
        {
            throw new ArgumentException($"pooled-attention: q {q}, k {k}, v {v}; expected [B, T, H, D], [B, N, G, D] and [B, N, G, DV] with H a multiple of G");
        }

        var op = new PooledAttentionOp(tape.Backend.Require<PooledAttentionCall>(), tape.Backend.Require<PooledAttentionBackwardCall>(), scale, size);
        Tensor[] made = tape.Record(op, [q, k, v, documents, positions, counts], [(AttentionOp.Output(q, v), tape.Type), (Layout.Of(q[0], q[2], q[1]), tape.Type.Sum())]);
        return (made[0], made[1]);
    }

    public override bool IsDifferentiable(int input) => input <= V;

    public override bool BackwardReadsOutput(int output) => true;

    public override void Forward(Backend backend, OpCall call) => kernel.Run(new PooledAttentionCall(Args(call), Blocks(call)));

    public override void Backward(Backend backend, OpCall call) => backwardKernel.Run(new PooledAttentionBackwardCall(Args(call), Blocks(call), AttentionOp.Gradients(call)));

    public override long BackwardScratchBytes(Node node)
    {
        OpCall shapes = OpCall.OfShapes(node);
        return backwardKernel.ScratchBytes(new PooledAttentionBackwardCall(Args(shapes), Blocks(shapes), AttentionOp.Gradients(shapes)));
    }

    internal static IEnumerable<OpCase> Cases()
    {
        double[] documents = [0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3, 3, 3];
        yield return Case("pooled-attention [2, 11, 4/2, 5]", 2, null);
        yield return Case("pooled-attention of documents [2, 11, 4/2, 5]", 2, documents);

        OpCase Case(string name, int size, double[]? of) => new(
            name,
            [OpInput.Real(2, 11, 4, 5), OpInput.Real(2, 6, 2, 5), OpInput.Real(2, 6, 2, 3), new OpInput([2, 11]) { IsInteger = true, Values = documents }],
            (tape, x) => Record(tape, x[0], x[1], x[2], size, 0.5, of is null ? default : x[3]).Y, x => Reference(x, 2, 11, 4, 2, 5, 3, size, 0.5, of))
        { Tolerance = 5e-6 };
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        (int b, int time, int h, int d, int blocks) = (s.Batch, s.Time, s.Heads, s.HeadDim, (s.Time + 15) / 16);
        yield return new OpCase($"pooled-attention {s.Name} of 16 [{b}, {time}, {h}, {d}]", [OpInput.Real(b, time, h, d), OpInput.Real(b, blocks, h, d), OpInput.Real(b, blocks, h, d)],
            (tape, x) => Record(tape, x[0], x[1], x[2], 16, 0.125).Y, x => Reference(x, b, time, h, h, d, d, 16, 0.125, null))
        { Tolerance = 5e-6 };
    }

    private AttentionArgs Args(OpCall call) => new()
    {
        Q = call.Input(Q),
        K = call.Input(K),
        V = call.Input(V),
        Y = call.Output(0),
        LogSumExp = call.Output(1),
        Scale = scale,
        Visible = default,
    };

    private PooledBlocks Blocks(OpCall call) => new() { Size = size, Documents = call.Input(Documents), Positions = call.Input(Positions), Counts = call.Input(Counts) };

    private static double[] Reference(double[][] x, int batch, int time, int heads, int keyHeads, int d, int dv, int size, double scale, double[]? documents)
    {
        int blocks = (time + size - 1) / size;
        var y = new double[batch * time * heads * dv];
        for (int row = 0; row < batch * time * heads; row++)
        {
            int b = row / (time * heads), t = row / heads % time, g = row % heads / (heads / keyHeads);
            int[] seen = [.. Enumerable.Range(0, blocks).Where(c => ((c + 1) * size) - 1 <= t
                && (documents is null || documents[(b * time) + ((c + 1) * size) - 1] == documents[(b * time) + t]))];
            double[] weights = [.. seen.Select(c => Math.Exp(scale * Enumerable.Range(0, d).Sum(i => x[0][(row * d) + i] * x[1][(((((b * blocks) + c) * keyHeads) + g) * d) + i])))];
            for (int i = 0; i < dv && seen.Length > 0; i++)
            {
                y[(row * dv) + i] = seen.Zip(weights, (c, w) => w * x[2][(((((b * blocks) + c) * keyHeads) + g) * dv) + i]).Sum() / weights.Sum();
            }
        }

        return y;
    }
}
