using NanoFold.Kernels.Gpu.Gemm;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash;

/// <summary>
/// What the flash attention kernels share (FlashAttention-2's scheme, arXiv 2307.08691). A block owns rows, a warp 16 or 32 of them, and goes through columns
/// step by step, two steps' tiles in shared memory. Scores stay in registers: as sums of a product they lie as the next product wants its left operand.
/// Lane 4g + t has of a tile of 16 × 8 scores the rows g and g + 8 and the columns 2t and 2t + 1.
/// </summary>
internal abstract class FlashKernel
{
    protected FlashKernel(in FlashSpec spec)
    {
        Spec = spec;
        W = new PtxWriter(spec.Name, spec.StartsEarly ? 90 : 80, FlashSpec.Threads, System.Runtime.CompilerServices.Unsafe.SizeOf<FlashArguments>()) { StartsEarly = spec.StartsEarly };
        Reg thread = Thread = W.ThreadX();
        Lane = W.And(thread, 31);
        RowOfLane = W.Shr(Lane, 2);
        ColumnOfLane = W.Shl(W.And(Lane, 3), 1);
        WarpRow = W.Mul(W.Shr(thread, 5), spec.WarpRows);
        Zero = W.Const(0);
        Shared = W.SharedBase();
        Depth = FlashArguments.Read(W, nameof(FlashArguments.Depth));
        W.WaitForEarlier();
    }

    protected FlashSpec Spec { get; }

    protected PtxWriter W { get; }

    protected Reg Thread { get; }

    protected Reg Lane { get; }

    /// <summary>g.</summary>
    protected Reg RowOfLane { get; }

    /// <summary>2t.</summary>
    protected Reg ColumnOfLane { get; }

    /// <summary>First row of the warp in the block.</summary>
    protected Reg WarpRow { get; }

    protected Reg Zero { get; }

    protected Reg Shared { get; }

    protected Reg Depth { get; }

    protected int ColumnTiles => Spec.Columns / 8;

    protected int DepthTiles => Spec.Depth / 8;

    /// <summary>The block's own rows.</summary>
    protected SharedTile RowTile => new(Spec.Type, true, Spec.Rows, Spec.Depth * 2);

    /// <summary>A step's rows of the other side, as right operand along the head dimension.</summary>
    protected SharedTile ColumnTile => new(Spec.Type, true, Spec.Columns, Spec.Depth * 2);

    /// <summary>The same memory, as right operand along its rows.</summary>
    private SharedTile TransposedTile => new(Spec.Type, false, Spec.Depth, Spec.Columns * 2);

    protected Reg Argument(string field) => FlashArguments.Read(W, field);

    protected FlashCopy CopyOf(SharedTile tile, string tensor, Reg batch, Reg head)
        => new(W, tile, Thread, FlashTensor.Rows(W, tensor, batch, head), FlashTensor.Stride(W, tensor), Depth);

    /// <summary>Left fragments of the warp's own rows.</summary>
    protected Fragments RowFragments(Reg shared) => new(W, RowTile, true, Lane, WarpRow, Spec.WarpRows, shared);

    protected Fragments ColumnFragments(Reg shared) => new(W, ColumnTile, false, Lane, Zero, Spec.Columns, shared);

    protected Fragments TransposedFragments(Reg shared) => new(W, TransposedTile, false, Lane, Zero, Spec.Depth, shared);

    /// <summary>All fragments of the warp's rows, step by step of the head dimension; null where they are loaded as they are needed.</summary>
    /// <param name="rows">The fragments.</param>
    /// <param name="tensor">Which of the own rows' tensors: 0 or 1.</param>
    protected Reg[][][]? Keep(Fragments rows, int tensor)
    {
        if (tensor >= Spec.Kept)
        {
            return null;
        }

        var kept = new Reg[Spec.Depth / 16][][];
        for (int i = 0; i < kept.Length; i++)
        {
            kept[i] = rows.Load(Zero, i);
        }

        return kept;
    }

    protected Reg[] Zeros(int count)
    {
        Reg[] sums = W.New(RegKind.F32, count);
        foreach (Reg sum in sums)
        {
            W.Set(sum, 0f);
        }

        return sums;
    }

    /// <summary>rows · columnsᵀ, [WarpRows, Columns].</summary>
    protected Reg[] Scores(Fragments rows, Reg[][][]? kept, Fragments columns, Reg stage)
    {
        Reg[] sums = Zeros(Spec.RowTiles * ColumnTiles * 4);
        for (int i = 0; i < Spec.Depth / 16; i++)
        {
            Multiply(sums, ColumnTiles, kept?[i] ?? rows.Load(Zero, i), columns.Load(stage, i));
        }

        return sums;
    }

    /// <summary>sums += weights · columns, [WarpRows, D].</summary>
    protected void AddOutput(Reg[] sums, Reg[] weights, Fragments columns, Reg stage) => AddOutput(sums, i => Packed(weights, i), columns, stage);

    /// <summary>The same of weights as left fragments, by the step of 16 columns.</summary>
    protected void AddOutput(Reg[] sums, Func<int, Reg[][]> weights, Fragments columns, Reg stage)
    {
        for (int i = 0; i < Spec.Columns / 16; i++)
        {
            Multiply(sums, DepthTiles, weights(i), columns.Load(stage, i));
        }
    }

    /// <summary>Left fragments of columns 16i and on of what lies as sums of a product, rounded to 16 bits.</summary>
    protected Reg[][] Packed(Reg[] weights, int i)
    {
        var a = new Reg[Spec.RowTiles][];
        for (int m = 0; m < a.Length; m++)
        {
            int left = ((m * ColumnTiles) + (2 * i)) * 4;
            a[m] =
            [
                W.Pack(Spec.Type, weights[left], weights[left + 1]), W.Pack(Spec.Type, weights[left + 2], weights[left + 3]),
                W.Pack(Spec.Type, weights[left + 4], weights[left + 5]), W.Pack(Spec.Type, weights[left + 6], weights[left + 7]),
            ];
        }

        return a;
    }

    /// <summary>sums += a · b, of fragments for one step.</summary>
    protected void Multiply(Reg[] sums, int columnTiles, Reg[][] a, Reg[][] b)
    {
        for (int m = 0; m < a.Length; m++)
        {
            for (int n = 0; n < columnTiles; n++)
            {
                // There and back, so that neighbors share an operand.
                int column = m % 2 == 0 ? n : columnTiles - 1 - n;
                W.MultiplyAccumulate(Spec.Type, sums.AsSpan(((m * columnTiles) + column) * 4, 4), a[m], b[column / 2].AsSpan(column % 2 * 2, 2));
            }
        }
    }

    /// <summary>Goes to the label where the predicate holds, for all lanes of the warp or none.</summary>
    protected void BranchIf(Reg predicate, string label)
    {
        using (W.When(predicate))
        {
            W.Branch(label);
        }
    }

    /// <summary>Writes, or adds, the warp's sums [WarpRows, D], times a factor for each row, through the part of shared memory that holds its own rows.</summary>
    /// <param name="sums">In registers.</param>
    /// <param name="factors">For rows g, g + 8, and so on.</param>
    /// <param name="staging">Address of a tile of rows in shared memory that nobody reads any more.</param>
    /// <param name="rows">Address of the head's first row.</param>
    /// <param name="stride">Bytes between rows.</param>
    /// <param name="first">The block's first row.</param>
    /// <param name="end">Number of rows.</param>
    /// <param name="accumulate">Not 0: adds; none: writes.</param>
    /// <param name="turned">Row of the batch, where the sums are turned back by the positions of their rows.</param>
    protected void Store(Reg[] sums, Reg[] factors, Reg staging, Reg rows, Reg stride, Reg first, Reg end, Reg? accumulate, Reg? turned = null)
    {
        int pitch = RowTile.Pitch, chunks = pitch / 16;
        Reg target = W.Add(W.Add(RowTile.Offset(W, W.Add(WarpRow, RowOfLane), Zero), staging), W.Shl(ColumnOfLane, 1));
        if (turned is { } batch && Spec.Rotation is { } rotation)
        {
            TurnBack(rotation, sums, factors, batch, first);
        }

        for (int n = 0; n < DepthTiles; n++)
        {
            Reg at = n == 0 ? target : W.Xor(target, 16 * n);
            for (int row = 0; row < factors.Length; row++)
            {
                int from = ((row / 2 * DepthTiles) + n) * 4 + (row % 2 * 2);
                W.StoreShared(at, row * 8 * pitch, W.Pack(Spec.Type, W.Mul(sums[from], factors[row]), W.Mul(sums[from + 1], factors[row])));
            }
        }

        W.WarpBarrier();
        Reg chunk = W.And(Lane, chunks - 1), ownRow = W.Add(WarpRow, W.Shr(Lane, int.Log2(chunks)));
        Reg isThere = W.Compare("lt", W.Shl(chunk, 3), Depth);
        Reg left = W.Select(isThere, W.Sub(end, W.Add(first, ownRow)), 0), source = W.MadWide(W.Add(first, ownRow), stride, W.MadWide(chunk, 16, rows));
        for (int i = 0; i < Spec.WarpRows; i += 32 / chunks)
        {
            Reg at = i == 0 ? source : W.MadWide(stride, i, source), isRow = W.Compare("gt", left, i);
            Reg[] values = W.LoadShared(RegKind.B32, 4, W.Add(RowTile.Offset(W, W.Add(ownRow, i), chunk), staging));
            if (accumulate is { } adds)
            {
                values = Sum(W, Spec.Type, values, at, 0, W.Both(isRow, W.Compare("ne", adds, 0)));
            }

            using (W.When(isRow))
            {
                W.StoreGlobal(at, 0, values);
            }
        }
    }

    /// <summary>Scales sums, rounds them as if they were stored, and turns them back: what is left to do is to store them, times 1.</summary>
    private void TurnBack(FlashRotation rotation, Reg[] sums, Reg[] factors, Reg batch, Reg first)
    {
        Reg token = W.Add(first, W.Add(WarpRow, RowOfLane));
        for (int row = 0; row < factors.Length; row++)
        {
            var values = new Reg[DepthTiles][];
            for (int n = 0; n < DepthTiles; n++)
            {
                int from = ((row / 2 * DepthTiles) + n) * 4 + (row % 2 * 2);
                values[n] = [W.Mul(sums[from], factors[row]), W.Mul(sums[from + 1], factors[row])];
                GemmElements.Round(W, Spec.Type, values[n]);
            }

            rotation.TurnBack(W, values, rotation.Address(W, batch, W.Add(token, 8 * row), ColumnOfLane));
            for (int n = 0; n < DepthTiles; n++)
            {
                int from = ((row / 2 * DepthTiles) + n) * 4 + (row % 2 * 2);
                (sums[from], sums[from + 1]) = (values[n][0], values[n][1]);
            }
        }

        Array.Fill(factors, W.Const(1f));
    }

    /// <summary>Two numbers in bits of the way out: 2^(score · BitScale − bits).</summary>
    protected Reg Weight(Reg score, Reg bitScale, Reg negatedBits) => W.Exp2(W.Mad(score, bitScale, negatedBits));

    /// <summary>Eight results as pairs, and what is in memory added where the predicate holds.</summary>
    internal static Reg[] Sum(PtxWriter w, GpuType type, Reg[] values, Reg address, int offset, Reg adds)
    {
        Reg[] old = w.LoadGlobalWhere(adds, RegKind.B32, values.Length, address, offset);
        var sums = new Reg[values.Length];
        for (int i = 0; i < sums.Length; i++)
        {
            (Reg low, Reg high) = w.Unpack(type, values[i]);
            (Reg oldLow, Reg oldHigh) = w.Unpack(type, old[i]);
            sums[i] = w.Pack(type, w.Add(low, oldLow), w.Add(high, oldHigh));
        }

        return sums;
    }
}
