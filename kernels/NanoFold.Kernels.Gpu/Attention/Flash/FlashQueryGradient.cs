using NanoFold.Kernels.Gpu.Gemm;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash;

/// <summary>
/// dq = scale · Σ p ⊙ (dy vᵀ − delta) · k of a block of queries. Grid: batch · head, block of queries. Shared memory: q and dy, then two stages of k and v.
/// </summary>
internal sealed class FlashQueryGradient : FlashQueries
{
    private FlashQueryGradient(in FlashSpec spec)
        : base(spec)
    {
    }

    public static PtxProgram Write(in FlashSpec spec) => new FlashQueryGradient(spec).Write();

    private PtxProgram Write()
    {
        SharedTile rows = RowTile, columns = ColumnTile;
        FlashCopy copyQ = CopyOf(rows, nameof(FlashArguments.Q), Batch, Head), copyDY = CopyOf(rows, nameof(FlashArguments.DY), Batch, Head);
        FlashCopy copyK = CopyOf(columns, nameof(FlashArguments.K), Batch, KeyHead), copyV = CopyOf(columns, nameof(FlashArguments.V), Batch, KeyHead);
        Reg sharedDY = W.Add(Shared, rows.Bytes), keys = W.Add(sharedDY, rows.Bytes), values = W.Add(keys, columns.Bytes);
        Fragments q = RowFragments(Shared), dy = q.Further(rows.Bytes);
        Fragments k = ColumnFragments(keys), v = k.Further(columns.Bytes), across = TransposedFragments(keys);
        Reg bitScale = FlashArguments.Read(W, RegKind.F32, nameof(FlashArguments.BitScale));
        Reg[] bits = Statistics(nameof(FlashArguments.Bits)), delta = Statistics(nameof(FlashArguments.Delta));
        for (int i = 0; i < bits.Length; i++)
        {
            bits[i] = W.Negate(bits[i]);
        }

        Reg[] sums = Zeros(Spec.RowTiles * DepthTiles * 4);
        Reg[][][]? keptQ = null, keptDY = null;
        copyQ.Copy(Shared, First, Time);
        copyDY.Copy(sharedDY, First, Time);
        Walk(
            (key, stage) =>
            {
                copyK.Copy(W.Add(keys, stage), key, Keys);
                copyV.Copy(W.Add(values, stage), key, Keys);
            },
            () => (keptQ, keptDY) = (Keep(q, 0), Keep(dy, 1)),
            (key, stage) =>
            {
                Reg[] scores = Scores(q, keptQ, k, stage);
                Mask(scores, key);
                Reg[] gradients = Scores(dy, keptDY, v, stage);
                for (int i = 0; i < scores.Length; i++)
                {
                    int row = (i / (4 * ColumnTiles) * 2) + (i % 4 / 2);
                    gradients[i] = W.Mul(Weight(scores[i], bitScale, bits[row]), W.Sub(gradients[i], delta[row]));
                }

                AddOutput(sums, gradients, across, stage);
            },
            2 * columns.Bytes);
        W.LetNextStart();
        Reg scale = FlashArguments.Read(W, RegKind.F32, nameof(FlashArguments.Scale));
        var factors = new Reg[2 * Spec.RowTiles];
        Array.Fill(factors, scale);
        Reg dq = FlashTensor.Rows(W, nameof(FlashArguments.DQ), Batch, Head), stride = FlashTensor.Stride(W, nameof(FlashArguments.DQ));
        Store(sums, factors, Shared, dq, stride, First, Time, Argument(nameof(FlashArguments.AccumulateQ)), Batch);
        return W.Finish(2 * rows.Bytes + 4 * columns.Bytes);
    }

    /// <summary>One number for each of the lane's rows.</summary>
    private Reg[] Statistics(string field)
    {
        Reg row = W.Add(W.Mad(Pair, Argument(nameof(FlashArguments.RowLength)), First), W.Add(WarpRow, RowOfLane));
        Reg address = W.MadWide(row, 4, FlashArguments.Read(W, RegKind.B64, field));
        var values = new Reg[2 * Spec.RowTiles];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = W.LoadGlobal(RegKind.F32, address, 32 * i);
        }

        return values;
    }
}
