using NanoFold.Kernels.Gpu.Gemm;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash;

/// <summary>
/// dk and dv of a block of keys as in <see cref="FlashKeyGradient"/>, and in the same pass its part of dq = scale · Σ (p ⊙ (dy vᵀ − delta)) k: five products and one exponential a score,
/// where two kernels need seven and two. Parts of dq are added in single precision by turns (<see cref="FlashTurns"/>): the first one writes, the last one rounds to dq. Grid: batch · key head · block of keys.
/// </summary>
/// <remarks>
/// Gradients of scores of all the block's keys meet in shared memory; then each warp has all queries and its part of the head dimension, or halves of both. The sums lie in
/// global memory as they do in registers: float4 i of the block's thread t at 128 i + t.
/// </remarks>
internal sealed class FlashGradients : FlashKeys
{
    private readonly FlashTurns _turns;

    private FlashGradients(in FlashSpec spec)
        : base(spec, Place(spec))
        => _turns = new FlashTurns(W, new(spec.Columns, spec.Rows, FlashSpec.Warps, spec.Documents), Visible, Batch, First, Thread);

    /// <summary>Gradients of scores, key by query, as left operand along keys.</summary>
    private SharedTile GradientTile => new(Spec.Type, false, Spec.Columns, Spec.Rows * 2);

    /// <summary>Warps that share the head dimension.</summary>
    private int DepthParts => Math.Min(FlashSpec.Warps, Spec.Depth / 16);

    /// <summary>What a warp has of dq.</summary>
    private int WarpDepth => Spec.Depth / DepthParts;

    private int WarpQueries => Spec.Columns * DepthParts / FlashSpec.Warps;

    private int ColumnGroups => WarpDepth / 8;

    // What is not needed in every step of a product is computed again in each block of queries: registers are short.
    private Reg SharedGradients => W.Add(Shared, Bytes(Spec));

    /// <summary>First query of the warp's part of dq.</summary>
    private Reg PartRow => W.Mul(W.Shr(Thread, 5 + int.Log2(DepthParts)), WarpQueries);

    /// <summary>Its first column.</summary>
    private Reg PartColumn => W.Mul(W.And(W.Shr(Thread, 5), DepthParts - 1), WarpDepth);

    /// <summary>What it needs of the scratch.</summary>
    public static FlashRoom Room(int batch, int heads, int time, int depth) => FlashRoom.Of(batch, heads, time, FlashSpec.QueriesTogether, FlashSpec.Padded(depth), FlashSpec.Warps);

    public static PtxProgram Write(in FlashSpec spec) => new FlashGradients(spec).Write();

    private static Func<PtxWriter, (Reg Pair, Reg Block)> Place(FlashSpec spec) => w => FlashTurns.Take(w, Bytes(spec));

    private PtxProgram Write()
    {
        Walk(Step);
        _turns.Pass();
        StoreRows();
        return W.Finish(Bytes(Spec) + GradientTile.Bytes);
    }

    private void Step(Reg head, Reg query, Reg stage)
    {
        string hidden = W.NewLabel(), meet = W.NewLabel(), away = W.NewLabel();
        BranchIf(W.Not(_turns.IsThere(query)), away);
        BranchIf(IsHidden(query), hidden);
        Reg[] gradients = ScoreGradients(query, stage);
        Reg[][][] packed = [.. Enumerable.Range(0, Spec.Columns / 16).Select(i => Packed(gradients, i))];
        Share((i, m, part) => packed[i][m][part]);
        AddKeyGradients(i => packed[i], stage);
        W.Branch(meet);
        W.Mark(hidden);
        Share((_, _, _) => Zero);
        W.Mark(meet);
        _turns.Pass();
        W.Barrier();
        Reg[] sums = Product();
        (Reg before, Reg isLast) = _turns.Of(query);
        Reg number = _turns.Number(head, query);
        _turns.Wait(number, before);
        Add(sums, number, before, isLast, head, query);
        W.Mark(away);
    }

    /// <summary>The warp's part of the product of gradients of scores and keys.</summary>
    private Reg[] Product()
    {
        var gradients = new Fragments(W, GradientTile, true, Lane, PartRow, WarpQueries, SharedGradients);
        var keys = new Fragments(W, new SharedTile(Spec.Type, false, Spec.Depth, Spec.Rows * 2), false, Lane, PartColumn, WarpDepth, Shared);
        Reg[] sums = Zeros(WarpQueries / 16 * ColumnGroups * 4);
        for (int i = 0; i < Spec.Rows / 16; i++)
        {
            Multiply(sums, ColumnGroups, gradients.Load(Zero, i), keys.Load(Zero, i));
        }

        return sums;
    }

    /// <summary>The warp's gradients go to shared memory, two neighbors among queries at once: part 0 of keys g, 1 of keys g + 8, 2 and 3 of queries 8 further on.</summary>
    private void Share(Func<int, int, int, Reg> values)
    {
        SharedTile tile = GradientTile;
        Reg target = W.Add(W.Add(tile.Offset(W, W.Add(WarpRow, RowOfLane), Zero), SharedGradients), W.Shl(ColumnOfLane, 1));
        for (int chunk = 0; chunk < Spec.Columns / 8; chunk++)
        {
            Reg at = chunk == 0 ? target : W.Xor(target, 16 * chunk);
            for (int half = 0; half < 2 * Spec.RowTiles; half++)
            {
                W.StoreShared(at, 8 * half * tile.Pitch, values(chunk / 2, half / 2, (chunk % 2 * 2) + (half % 2)));
            }
        }
    }

    /// <summary>The warp has its turn: its part of dq joins the sums, or with them becomes dq.</summary>
    private void Add(Reg[] sums, Reg number, Reg before, Reg isLast, Reg head, Reg query)
    {
        string first = W.NewLabel(), last = W.NewLabel(), hold = W.NewLabel(), done = W.NewLabel();
        Reg bytes = W.Const(Spec.Columns * Spec.Depth * sizeof(float));
        Reg address = W.MadWide(number, bytes, W.MadWide(Thread, 16, FlashArguments.Read(W, RegKind.B64, nameof(FlashArguments.Sums))));
        BranchIf(isLast, last);
        BranchIf(W.Compare("eq", before, 0), first);
        for (int i = 0; i < sums.Length; i++)
        {
            W.Reduce(address, Place(i), sums[i]);
        }

        W.Branch(hold);
        W.Mark(first);
        for (int i = 0; i < sums.Length; i += 4)
        {
            W.StoreGlobal(address, Place(i), sums.AsSpan(i, 4));
        }

        W.Mark(hold);
        _turns.Hold(number);
        W.Branch(done);
        W.Mark(last);
        Reg isNotAlone = W.Compare("ne", before, 0);
        for (int i = 0; i < sums.Length; i += 4)
        {
            Reg[] old = W.LoadGlobalWhere(isNotAlone, RegKind.F32, 4, address, Place(i));
            for (int j = 0; j < 4; j++)
            {
                sums[i + j] = W.Add(old[j], sums[i + j]);
            }
        }

        Finish(sums, head, query);
        W.Mark(done);

        static int Place(int i) => (i / 4 * FlashSpec.Threads * 16) + (i % 4 * sizeof(float));
    }

    /// <summary>Writes, or adds, the warp's part of dq.</summary>
    private void Finish(Reg[] sums, Reg head, Reg query)
    {
        Reg scale = FlashArguments.Read(W, RegKind.F32, nameof(FlashArguments.Scale)), adds = W.Compare("ne", Argument(nameof(FlashArguments.AccumulateQ)), 0);
        Reg stride = FlashTensor.Stride(W, nameof(FlashArguments.DQ)), column = W.Add(PartColumn, ColumnOfLane), row = W.Add(W.Add(query, PartRow), RowOfLane);
        Reg rows = W.MadWide(column, Spec.Type.Size(), FlashTensor.Rows(W, nameof(FlashArguments.DQ), Batch, head));
        for (int half = 0; half < WarpQueries / 8; half++)
        {
            Reg at = W.Add(row, 8 * half), address = W.MadWide(at, stride, rows), isRow = W.Compare("lt", at, Visible.Time);
            for (int n = 0; n < ColumnGroups; n++)
            {
                int from = (((half / 2 * ColumnGroups) + n) * 4) + (half % 2 * 2);
                Reg isThere = W.Both(isRow, W.Compare("lt", W.Add(column, 8 * n), Depth));
                Reg old = W.LoadGlobalWhere(W.Both(isThere, adds), RegKind.B32, 1, address, 16 * n)[0];
                (Reg low, Reg high) = W.Unpack(Spec.Type, old);
                Reg pair = W.Pack(Spec.Type, W.Mad(sums[from], scale, low), W.Mad(sums[from + 1], scale, high));
                using (W.When(isThere))
                {
                    W.StoreGlobal(address, 16 * n, pair);
                }
            }
        }
    }
}
