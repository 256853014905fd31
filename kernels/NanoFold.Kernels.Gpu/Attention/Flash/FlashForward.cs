using NanoFold.Kernels.Gpu.Gemm;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash;

/// <summary>
/// Attention forward: y = softmax(scale · q kᵀ) v with the online softmax, and the log-sum-exp. Grid: batch · head, block of queries.
/// Shared memory: q, then two stages of k and v.
/// </summary>
internal sealed class FlashForward : FlashQueries
{
    private readonly FlashSoftmax _softmax;
    private readonly Reg[] _output;

    private FlashForward(in FlashSpec spec)
        : base(spec)
    {
        _softmax = new FlashSoftmax(W, spec.RowTiles, ColumnTiles);
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
                Weigh(scores);
                AddOutput(_output, scores, v, stage);
            },
            2 * columns.Bytes);
        W.LetNextStart();
        Finish();
        return W.Finish(rows.Bytes + 4 * columns.Bytes);
    }

    /// <summary>Scores become weights; what was summed until now follows where a maximum is far ahead.</summary>
    private void Weigh(Reg[] scores)
    {
        (Reg[] largest, Reg grows) = _softmax.Look(scores);
        string stays = W.NewLabel();
        BranchIf(W.Not(W.Any(grows)), stays);
        for (int row = 0; row < largest.Length; row++)
        {
            Reg factor = _softmax.Follow(row, largest[row]);
            FlashSoftmax.ForRow(row, DepthTiles, i => W.Set(_output[i], W.Mul(_output[i], factor)));
        }

        W.Mark(stays);
        _softmax.Weigh(scores);
    }

    private void Finish()
    {
        Reg row = W.Add(W.Add(First, WarpRow), RowOfLane);
        Reg[] factors = _softmax.Finish(Pair, row, W.Compare("eq", ColumnOfLane, 0), Time);
        Reg y = FlashTensor.Rows(W, nameof(FlashArguments.Y), Batch, Head), stride = FlashTensor.Stride(W, nameof(FlashArguments.Y));
        Store(_output, factors, Shared, y, stride, First, Time, null);
    }
}
