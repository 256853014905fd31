using NanoFold.Kernels.Gpu.Gemm;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash;

/// <summary>
/// Attention forward: y = softmax(scale · q kᵀ) v with the online softmax, and the log-sum-exp. Grid: batch · head, block of queries.
/// Shared memory: q, then two stages of k and v.
/// </summary>
internal sealed class FlashForward : FlashQueries
{
    /// <summary>Below any score; finite, so that a row that saw nothing yet gives 2^−∞ = 0 and not a NaN.</summary>
    private const float Lowest = -1e30f;

    /// <summary>Weights stay below 2^8, which half precision holds too.</summary>
    private const float Slack = 8;

    private const float NatsPerBit = 0.6931471805599453f;

    private readonly Reg _bitScale;
    private readonly Reg[] _maxima, _sums, _output;

    private FlashForward(in FlashSpec spec)
        : base(spec)
    {
        _bitScale = FlashArguments.Read(W, RegKind.F32, nameof(FlashArguments.BitScale));
        _maxima = W.New(RegKind.F32, 2 * spec.RowTiles);
        foreach (Reg maximum in _maxima)
        {
            W.Set(maximum, Lowest);
        }

        _sums = Zeros(2 * spec.RowTiles);
        _output = Zeros(spec.RowTiles * DepthTiles * 4);
    }

    public static PtxProgram Write(in FlashSpec spec) => new FlashForward(spec).Write();

    private PtxProgram Write()
    {
        SharedTile rows = RowTile, columns = ColumnTile;
        FlashCopy copyQ = CopyOf(rows, nameof(FlashArguments.Q), Batch, Head);
        FlashCopy copyK = CopyOf(columns, nameof(FlashArguments.K), Batch, KeyHead), copyV = CopyOf(columns, nameof(FlashArguments.V), Batch, KeyHead);
        Reg keys = W.Add(Shared, rows.Bytes), values = W.Add(keys, columns.Bytes);
        Fragments q = RowFragments(Shared), k = ColumnFragments(keys), v = TransposedFragments(values);
        Reg[][][]? kept = null;
        copyQ.Copy(Shared, First, Time);
        Walk(
            (key, stage) =>
            {
                copyK.Copy(W.Add(keys, stage), key, Keys);
                copyV.Copy(W.Add(values, stage), key, Keys);
            },
            () => kept = Keep(q, 0),
            (key, stage) =>
            {
                Reg[] scores = Scores(q, kept, k, stage);
                Mask(scores, key);
                Softmax(scores);
                AddOutput(_output, scores, v, stage);
            },
            2 * columns.Bytes);
        Finish();
        return W.Finish(rows.Bytes + 4 * columns.Bytes);
    }

    /// <summary>
    /// Scores become weights. They are taken relative to a maximum that follows the row's only when that is <see cref="Slack"/> bits ahead
    /// (for some row of the warp), as then sums and output have to follow too; the quotient at the end is the same.
    /// </summary>
    private void Softmax(Reg[] scores)
    {
        var largest = new Reg[_maxima.Length];
        Reg grows = W.Compare("lt", Zero, 0);
        for (int row = 0; row < _maxima.Length; row++)
        {
            int first = FirstOf(row, ColumnTiles);
            largest[row] = W.Max(scores[first], scores[first + 1]);
            for (int n = 1; n < ColumnTiles; n++)
            {
                largest[row] = W.Max(largest[row], W.Max(scores[first + (4 * n)], scores[first + (4 * n) + 1]));
            }

            largest[row] = W.Max(_maxima[row], QuadMax(largest[row]));
            grows = W.Either(grows, W.Compare("gt", W.Mul(W.Sub(largest[row], _maxima[row]), _bitScale), Slack));
        }

        string stays = W.NewLabel();
        BranchIf(W.Not(W.Any(grows)), stays);
        for (int row = 0; row < _maxima.Length; row++)
        {
            Reg factor = W.Exp2(W.Mul(W.Sub(_maxima[row], largest[row]), _bitScale));
            W.Set(_maxima[row], largest[row]);
            W.Set(_sums[row], W.Mul(_sums[row], factor));
            ForRow(row, DepthTiles, i => W.Set(_output[i], W.Mul(_output[i], factor)));
        }

        W.Mark(stays);
        for (int row = 0; row < _maxima.Length; row++)
        {
            Reg negated = W.Mul(W.Negate(_maxima[row]), _bitScale), sum = _sums[row];
            ForRow(row, ColumnTiles, i =>
            {
                W.Set(scores[i], Weight(scores[i], _bitScale, negated));
                W.Set(sum, W.Add(sum, scores[i]));
            });
        }
    }

    private static int FirstOf(int row, int tiles) => (row / 2 * tiles * 4) + (row % 2 * 2);

    private static void ForRow(int row, int tiles, Action<int> element)
    {
        for (int n = 0; n < tiles; n++)
        {
            element(FirstOf(row, tiles) + (4 * n));
            element(FirstOf(row, tiles) + (4 * n) + 1);
        }
    }

    private void Finish()
    {
        Reg scale = FlashArguments.Read(W, RegKind.F32, nameof(FlashArguments.Scale));
        Reg row = W.Add(W.Add(First, WarpRow), RowOfLane), isFirst = W.Compare("eq", ColumnOfLane, 0);
        Reg address = W.MadWide(row, 4, W.Mad(W.Widen(W.Mul(Pair, Time)), W.Op(RegKind.B64, "mov.b64", 4), FlashArguments.Read(W, RegKind.B64, nameof(FlashArguments.LogSumExp))));
        var factors = new Reg[_sums.Length];
        for (int i = 0; i < factors.Length; i++)
        {
            Reg sum = QuadSum(_sums[i]);
            factors[i] = W.Select(W.Compare("eq", sum, 0f), 0f, W.Reciprocal(sum), RegKind.F32);
            Reg logSumExp = W.Mad(W.Log2(sum), NatsPerBit, W.Mul(_maxima[i], scale));
            using (W.When(W.Both(isFirst, W.Compare("lt", W.Add(row, 8 * i), Time))))
            {
                W.StoreGlobal(address, 32 * i, logSumExp);
            }
        }

        Reg y = FlashTensor.Rows(W, nameof(FlashArguments.Y), Batch, Head), stride = FlashTensor.Stride(W, nameof(FlashArguments.Y));
        Store(_output, factors, Shared, y, stride, First, Time, null);
    }
}
