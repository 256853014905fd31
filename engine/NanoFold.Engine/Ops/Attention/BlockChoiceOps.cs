using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Engine.Ops;

/// <summary>Blocks of keys that queries choose by the means of the keys: see <see cref="BlockChoiceCall"/>. No gradient.</summary>
public sealed class BlockChoiceOp(IKernel<BlockChoiceCall> kernel, int size, double scale) : Op
{
    public override string Name => "block-choice";

    /// <summary>Lists [B, H or G, T, n] and their lengths [B, H or G, T], Int32, as <see cref="Visibility.Blocks"/> takes them.</summary>
    /// <param name="tape">Where to record.</param>
    /// <param name="q">[B, T, H, D].</param>
    /// <param name="means">Of blocks of keys, [B, N, G, D].</param>
    /// <param name="size">Tokens of a block.</param>
    /// <param name="most">n, blocks that a query takes.</param>
    /// <param name="logSumExp">[B, H, T] of pooled attention, for one list for the heads that share keys; or none.</param>
    /// <param name="scale">Factor on the scores, where there are log-sum-exps.</param>
    /// <param name="documents">Document of each token, Int32 [B, T], or none.</param>
    /// <param name="positions">While decoding, position of each row's first query, Int32 [B].</param>
    /// <param name="counts">While decoding, queries of each row, Int32 [B].</param>
    public static (Tensor Lists, Tensor Lengths) Record(
        Tape tape, Tensor q, Tensor means, int size, int most, Tensor logSumExp = default, double scale = 1, Tensor documents = default, Tensor positions = default, Tensor counts = default)
    {
        if (q.Layout.Rank != 4 || means.Layout.Rank != 4 || most < 1)
        {
            throw new ArgumentException($"block-choice: {most} blocks for q {q} of means {means}; expected at least 1, [B, T, H, D] and [B, N, G, D]");
        }

        int lists = logSumExp.IsNone ? q[2] : means[2];
        Tensor[] made = tape.Record(
            new BlockChoiceOp(tape.Backend.Require<BlockChoiceCall>(), size, scale), [q, means, logSumExp, documents, positions, counts],
            [(Layout.Of(q[0], lists, q[1], most), DType.Int32), (Layout.Of(q[0], lists, q[1]), DType.Int32)]);
        return (made[0], made[1]);
    }

    public override bool IsDifferentiable(int input) => false;

    public override void Forward(Backend backend, OpCall call) => kernel.Run(new BlockChoiceCall
    {
        Q = call.Input(0),
        Means = call.Input(1),
        LogSumExp = call.Input(2),
        Lists = call.Output(0),
        Lengths = call.Output(1),
        Size = size,
        Scale = scale,
        Documents = call.Input(3),
        Positions = call.Input(4),
        Counts = call.Input(5),
    });

    internal static IEnumerable<OpCase> Cases()
    {
        double[] documents = [0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], logSums = [.. Enumerable.Range(0, 4 * 13).Select(i => ((i * 7) % 16 - 8) / 8.0)];
        yield return Case("block-choice of each head [1, 13, 4/2, 5]", 2, isShared: false, null);
        yield return Case("block-choice of heads that share keys [1, 13, 4/2, 5]", 4, isShared: true, null);
        yield return Case("block-choice among documents [1, 13, 4/2, 5]", 4, isShared: true, documents);

        OpCase Case(string name, int most, bool isShared, double[]? of) => new(
            name, [OpInput.Real(1, 13, 4, 5), OpInput.Real(1, 7, 2, 5), new OpInput([1, 4, 13]) { Values = logSums, IsTable = true }, new OpInput([1, 13]) { IsInteger = true, Values = documents }],
            (tape, x) => IntegerConversionOp.Record(tape, Record(tape, x[0], x[1], 2, most, isShared ? x[2] : default, 0.5, of is null ? default : x[3]).Lists),
            x => BlockReference.Choice(x, 13, 4, 2, 5, 2, most, isShared, 0.5, of))
        { CheckGradient = false };
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        int blocks = (s.Time + 15) / 16, d = s.HeadDim;
        // Of a coarse grid, so that scores are exact.
        yield return new OpCase($"block-choice {s.Name} 4 of {blocks} [1, {s.Time}, {s.Heads}, {d}]",
            [OpInput.Real(1, s.Time, s.Heads, d) with { Step = 0.125 }, OpInput.Real(1, blocks, s.Heads, d) with { Step = 0.125 }],
            (tape, x) => IntegerConversionOp.Record(tape, Record(tape, x[0], x[1], 16, 4).Lists), x => BlockReference.Choice(x, s.Time, s.Heads, s.Heads, d, 16, 4, false, 1, null))
        { CheckGradient = false };
    }
}

/// <summary>Lists of blocks by position alone: see <see cref="BlockPatternCall"/>. No gradient.</summary>
public sealed class BlockPatternOp(IKernel<BlockPatternCall> kernel, int size, int querySize, int local, int stride) : Op
{
    public override string Name => "block-pattern";

    /// <summary>Lists [1, 1, T / size (rounded up), n] for blocks of queries, or [B, 1, T, n] for each query while decoding; and their lengths.</summary>
    /// <param name="tape">Where to record.</param>
    /// <param name="context">Tokens at most, the positions of decoding included.</param>
    /// <param name="size">Tokens of a block.</param>
    /// <param name="local">Blocks seen back from and including the query's own.</param>
    /// <param name="stride">Of the others every so many are seen.</param>
    /// <param name="time">T.</param>
    /// <param name="positions">While decoding, position of each row's first query, Int32 [B].</param>
    public static (Tensor Lists, Tensor Lengths) Record(Tape tape, int context, int size, int local, int stride, int time, Tensor positions = default)
    {
        bool isFull = positions.IsNone;
        int batch = isFull ? 1 : positions[0], rows = isFull ? (time + size - 1) / size : time, most = BlockPatternCall.Most((context + size - 1) / size, local, stride);
        Tensor[] made = tape.Record(
            new BlockPatternOp(tape.Backend.Require<BlockPatternCall>(), size, isFull ? size : 1, local, stride), [positions],
            [(Layout.Of(batch, 1, rows, most), DType.Int32), (Layout.Of(batch, 1, rows), DType.Int32)]);
        return (made[0], made[1]);
    }

    public override bool IsDifferentiable(int input) => false;

    public override void Forward(Backend backend, OpCall call) => kernel.Run(new BlockPatternCall
    {
        Lists = call.Output(0),
        Lengths = call.Output(1),
        Size = size,
        QuerySize = querySize,
        Local = local,
        Stride = stride,
        Positions = call.Input(0),
    });

    internal static IEnumerable<OpCase> Cases()
    {
        yield return new OpCase("block-pattern of 31 tokens in blocks of 4", [], (tape, _) => Real(tape, Record(tape, 31, 4, 2, 3, 31)),
            _ => [.. Enumerable.Range(0, 8).SelectMany(i => BlockReference.Pattern(i, 2, 3, 4)), .. Enumerable.Range(0, 8).Select(i => (double)BlockReference.Seen(i, 2, 3).Count())])
        { CheckGradient = false };
        yield return new OpCase("block-pattern while decoding", [new OpInput([2]) { IsInteger = true, Values = [0, 21] }], (tape, x) => Real(tape, Record(tape, 31, 4, 2, 3, 5, x[0])),
            _ => [.. Blocks().SelectMany(i => BlockReference.Pattern(i, 2, 3, 4)), .. Blocks().Select(i => (double)BlockReference.Seen(i, 2, 3).Count())])
        { CheckGradient = false };

        static IEnumerable<int> Blocks() => from start in new[] { 0, 21 } from t in Enumerable.Range(0, 5) select (start + t) / 4;

        static OpOutputs Real(Tape tape, (Tensor Lists, Tensor Lengths) made) => (IntegerConversionOp.Record(tape, made.Lists), IntegerConversionOp.Record(tape, made.Lengths));
    }
}

/// <summary>What the cases of ops over blocks expect, by definition.</summary>
internal static class BlockReference
{
    public static IEnumerable<int> Seen(int own, int local, int stride) => Enumerable.Range(0, own + 1).Where(j => own - j < local || (own - j) % stride == 0);

    /// <summary>A list with −1 after its last block.</summary>
    public static IEnumerable<double> Pattern(int own, int local, int stride, int most) => List(Seen(own, local, stride), most);

    /// <summary>Lists of q, means and log-sum-exps, by sorting.</summary>
    public static double[] Choice(double[][] x, int time, int heads, int keyHeads, int depth, int size, int most, bool isShared, double scale, double[]? documents)
    {
        int group = heads / keyHeads;
        return [.. from list in Enumerable.Range(0, isShared ? keyHeads : heads)
                   from t in Enumerable.Range(0, time)
                   from block in List(Blocks(list, t), most)
                   select block];

        IEnumerable<int> Blocks(int list, int t)
        {
            int[] own = [.. Enumerable.Range(0, t / size).Where(c => documents is null || documents[(c * size) + size - 1] == documents[t])];
            int first = own.Length > 0 ? own[0] : t / size;
            int[] always = isShared ? [.. new[] { first, (t / size) - 1, t / size }.Where(c => c >= first).Distinct()] : [t / size];
            return [.. always.Take(most), .. own.Except(always).OrderByDescending(c => isShared ? Probability(list, t, c) : Score(list, t, c)).ThenBy(c => c).Take(Math.Max(0, most - always.Length))];
        }

        double Score(int h, int t, int c) => Enumerable.Range(0, depth).Sum(i => x[0][(((t * heads) + h) * depth) + i] * x[1][(((c * keyHeads) + (h / group)) * depth) + i]);

        double Probability(int g, int t, int c) => Enumerable.Range(g * group, group).Sum(h => Math.Exp((scale * Score(h, t, c)) - x[2][(h * time) + t]));
    }

    private static IEnumerable<double> List(IEnumerable<int> blocks, int most) => blocks.Order().Select(b => (double)b).Concat(Enumerable.Repeat(-1.0, most)).Take(most);
}
