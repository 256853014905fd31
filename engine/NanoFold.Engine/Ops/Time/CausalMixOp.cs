using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Time;

namespace NanoFold.Engine.Ops;

/// <summary>
/// Lower-triangular matrices over time, one a group of channels: y[b, t, c] = Σ_s mix[g, t, s] v[b, s, c] over s ≤ t, over no beginning, g the group of channel c.
/// mix [G, M, M], of which the first T rows and columns count; v, y [B, T, C], C a multiple of G; continues [B, T] or none. Rows are taken in blocks, each times what
/// lies before its end, so that half of the matrix products are left out; nothing of the size of mix is copied.
/// </summary>
public sealed class CausalMixOp(IKernel<MixRowsCall> kernel, IKernel<MixRowsBackwardCall> backward) : Op
{
    /// <summary>Rows of a block.</summary>
    private const int Block = 64;

    private const int Mix = 0, V = 1, Continues = 2;

    private const long Alignment = 256;

    public override string Name => "causal-mix";

    public static Tensor Record(Tape tape, Tensor mix, Tensor v, Tensor continues = default)
    {
        Check(mix, v);
        return v[1] <= mix[1]
            ? tape.Record(new CausalMixOp(tape.Backend.Require<MixRowsCall>(), tape.Backend.Require<MixRowsBackwardCall>()), [mix, v, continues], v.Layout)
            : throw new ArgumentException($"causal-mix: v {v} is longer than mix {mix}");
    }

    public override bool IsDifferentiable(int input) => input != Continues;

    public override void Forward(Backend backend, OpCall call)
    {
        View v = Heads(call.Input(V), call), y = Heads(call.Output(0), call);
        int time = call.Input(V).Layout[1];
        for (int first = 0; first < time; first += Block)
        {
            View rows = Rows(call, first);
            backend.MatMul(new MatMulArgs { A = Broadcast(rows, v), B = Part(v, 0, rows.Layout[3]), Y = Part(y, first, rows.Layout[2]), Rounding = call.Rounding });
        }
    }

    public override void Backward(Backend backend, OpCall call)
    {
        call.ZeroUnlessAccumulating(backend, Mix);
        View v = Heads(call.Input(V), call), dy = Heads(call.OutputGradient(0), call);
        View dMix = call.InputGradient(Mix), dV = call.InputGradient(V);
        int time = call.Input(V).Layout[1], last = (time - 1) / Block * Block;
        // The last block first: it reaches every place, and the others add to it.
        for (int first = last; first >= 0; first -= Block)
        {
            View rows = Rows(call, first), part = Part(dy, first, rows.Layout[2]);
            if (!dV.IsNone)
            {
                bool adds = call.Accumulates(V) || first < last;
                backend.MatMul(new MatMulArgs
                {
                    A = Broadcast(rows, v),
                    TransposeA = true,
                    B = part,
                    Y = Part(Heads(dV, call), 0, rows.Layout[3]),
                    Accumulate = adds,
                    Rounding = call.Rounding,
                });
            }

            if (!dMix.IsNone)
            {
                View dRows = call.Scratch.As(v.Type, Layout.Of(v.Layout[0], v.Layout[1], rows.Layout[2], rows.Layout[3]), Aligned(RowBytes(call.Node)) / v.Type.Size());
                backend.MatMul(new MatMulArgs { A = part, B = Part(v, 0, rows.Layout[3]), TransposeB = true, Y = dRows, Rounding = call.Rounding });
                backward.Run(new MixRowsBackwardCall { DY = dRows, DMix = dMix, First = first, Continues = call.Input(Continues) });
            }
        }
    }

    public override long ForwardScratchBytes(Node node) => RowBytes(node);

    public override long BackwardScratchBytes(Node node) => Aligned(RowBytes(node)) + Bytes(node, node.Inputs[V][0]);

    internal static IEnumerable<OpCase> Cases()
    {
        // Within a block and over several, all of the matrices and a part.
        foreach ((int b, int t, int c, int g, int m) in new[] { (2, 5, 6, 3, 5), (1, 70, 4, 2, 72), (2, 3, 5, 1, 4) })
        {
            yield return new OpCase($"causal-mix [{b}, {t}, {c}] by {g} of {m}", [OpInput.Weight(g, m, m), OpInput.Real(b, t, c)],
                (tape, x) => Record(tape, x[0], x[1]), v => Reference(v, b, t, c, g, m, null))
            { Tolerance = 5e-6 };
            double[] continues = [.. Enumerable.Range(0, b * t).Select(i => i % 7 == 2 || i % 66 == 65 ? 0.0 : 1)];
            yield return new OpCase($"causal-mix of documents [{b}, {t}, {c}] by {g} of {m}", [OpInput.Weight(g, m, m), OpInput.Real(b, t, c), new OpInput([b, t]) { Values = continues }],
                (tape, x) => Record(tape, x[0], x[1], x[2]), v => Reference(v, b, t, c, g, m, continues))
            { Tolerance = 5e-6 };
        }
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        (int b, int t, int c, int g) = (s.Batch, s.Time, s.Width, s.Heads);
        yield return new OpCase($"causal-mix {s.Name} [{b}, {t}, {c}] by {g}", [OpInput.Weight(g, t, t), OpInput.Real(b, t, c)],
            (tape, x) => Record(tape, x[0], x[1]), v => Reference(v, b, t, c, g, t, null))
        { Tolerance = 5e-6 };
    }

    internal static void Check(Tensor mix, Tensor v)
    {
        if (v.Layout.Rank != 3 || mix.Layout.Rank != 3 || mix[1] != mix[2] || v[2] % mix[0] != 0)
        {
            throw new ArgumentException($"causal-mix: mix {mix} and v {v}; expected [G, M, M] and [B, T, C], C a multiple of G");
        }
    }

    /// <summary>[B, T, C] as [B, G, T, D].</summary>
    private static View Heads(in View x, OpCall call) => x.With(x.Layout.SplitLast(call.Input(Mix).Layout[0]).Permute(0, 2, 1, 3));

    private static View Part(in View x, int first, int length) => x.With(x.Layout.Slice(2, first, length, out long offset), offset);

    private static View Broadcast(in View rows, in View v)
        => rows.With(rows.Layout.BroadcastTo(Layout.Of(v.Layout[0], rows.Layout[1], rows.Layout[2], rows.Layout[3])));

    private static long Aligned(long bytes) => (bytes + Alignment - 1) / Alignment * Alignment;

    // Where documents begin is of each row its own.
    private static long RowBytes(Node node) => Bytes(node, node.Inputs[Continues].IsNone ? 1 : node.Inputs[V][0]);

    private static long Bytes(Node node, int batch)
        => (long)batch * node.Inputs[Mix][0] * Math.Min(Block, node.Inputs[V][1]) * node.Inputs[V][1] * node.Inputs[V].Type.Size();

    // The rows of a block as far as their places see.
    private View Rows(OpCall call, int first)
    {
        View v = call.Input(V), continues = call.Input(Continues);
        int count = Math.Min(Block, v.Layout[1] - first);
        View rows = call.Scratch.As(v.Type, Layout.Of(continues.IsNone ? 1 : v.Layout[0], call.Input(Mix).Layout[0], count, first + count));
        kernel.Run(new MixRowsCall { Mix = call.Input(Mix), Y = rows, First = first, Continues = continues });
        return rows;
    }

    private static double[] Reference(double[][] v, int batch, int time, int width, int groups, int length, double[]? continues)
    {
        var y = new double[batch * time * width];
        for (int i = 0; i < y.Length; i++)
        {
            int c = i % width, t = i / width % time, row = i / width / time * time;
            for (int s = t; s >= 0; s--)
            {
                y[i] += v[0][((c / (width / groups) * length) + t) * length + s] * v[1][(row + s) * width + c];
                s = continues is not null && continues[row + s] == 0 ? -1 : s;
            }
        }

        return y;
    }
}
