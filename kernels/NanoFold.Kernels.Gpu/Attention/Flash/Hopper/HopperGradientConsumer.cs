using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash.Hopper;

/// <summary>
/// The role of a warpgroup that computes dk and dv of 64 keys, and its part of the block's part of dq: gradients of scores of both warpgroups meet in shared memory.
/// While a block of queries waits for its turn, the product for dk runs.
/// </summary>
/// <remarks>
/// There is room for two steps' gradients of scores, so that a step has one meeting: who writes those of a step has met the other one after its product for dq of the step before the last.
/// </remarks>
internal sealed class HopperGradientConsumer
{
    private const int StepDepth = 16, Meeting = 1;

    private readonly PtxWriter _w;
    private readonly HopperGradientSpec _spec;
    private readonly HopperKeys _block;
    private readonly HopperLane _lane;
    private readonly PtxRing _ring;
    private readonly FlashKeyMask _mask;
    private readonly HopperQuerySums _queries;
    private readonly Reg _buffer, _always, _never, _bitScale, _even;
    private readonly Reg[] _keys, _scores, _slopes, _weights, _gradients, _dk, _dv;

    public HopperGradientConsumer(PtxWriter w, HopperGradientSpec spec, HopperKeys block)
    {
        (_w, _spec, _block) = (w, spec, block);
        HopperLane lane = _lane = new HopperLane(w, block);
        Reg zero = w.Const(0);
        (_always, _never) = (w.Compare("eq", zero, 0), w.Compare("ne", zero, 0));
        _ring = new PtxRing(w, spec.Ring, block.Shared, firstParity: 0);
        _mask = new FlashKeyMask(w, block.Visible, spec.Documents, lane.WarpKey, (lane.Row, lane.Column), 1, spec.Queries);
        _queries = new HopperQuerySums(w, spec, block, lane);
        _buffer = w.New(RegKind.B32);
        w.Set(_buffer, 0);
        _bitScale = FlashArguments.Read(w, RegKind.F32, nameof(FlashArguments.BitScale));

        // Two floats of eight: the lane's place in the rows of numbers of queries.
        _even = w.Shl(lane.Column, 2);
        _keys = w.Descriptor(w.Mad(lane.Group, HopperGradientSpec.GroupKeyBytes, block.Shared), alongDepth: true, 0);
        (_scores, _slopes) = (w.New(RegKind.F32, spec.Queries / 2), w.New(RegKind.F32, spec.Queries / 2));
        (_weights, _gradients) = (w.New(RegKind.B32, spec.Queries / 4), w.New(RegKind.B32, spec.Queries / 4));
        (_dk, _dv) = (w.New(RegKind.F32, spec.Width / 2), w.New(RegKind.F32, spec.Width / 2));
    }

    public void Write()
    {
        foreach (Reg sum in _dk.Concat(_dv))
        {
            _w.Set(sum, 0f);
        }

        _w.WaitBarrier(_w.Add(_block.Shared, _spec.BarriersAt), HopperGradientSpec.Fixed, _w.Const(0), "keys and values");
        _block.Walk(Step);
        _block.Turns.Pass(lanesMeet: true);

        // Nobody reads k any more.
        _w.Barrier(Meeting, HopperGradientSpec.ConsumerThreads);
        var rows = new HopperKeyRows(_w, _spec, _block, _lane);
        rows.Store(_dk, 0, nameof(FlashArguments.DK), nameof(FlashArguments.AccumulateK), FlashArguments.Read(_w, RegKind.F32, nameof(FlashArguments.Scale)));
        rows.Store(_dv, _spec.ValuesAt, nameof(FlashArguments.DV), nameof(FlashArguments.AccumulateV), _w.Const(1f));
    }

    private void Step(Reg head, Reg query)
    {
        string hidden = _w.NewLabel(), add = _w.NewLabel();
        Reg barrier = _ring.Barrier(), tile = _ring.Tile();
        _w.WaitBarrier(barrier, HopperGradientSpec.Full, _ring.Parity, "queries");
        _block.BranchIf(IsHidden(query), hidden);
        ScoreGradients(query, tile);
        Share(i => _gradients[i]);
        _w.FenceSums();
        AddKeys(_dv, _weights, tile, _spec.ResultsAt);
        Meet();
        _queries.Multiply(_buffer);
        AddKeys(_dk, _gradients, tile, _spec.QueriesAt);
        _w.CommitProducts();
        _w.WaitProducts(1);
        _w.Branch(add);

        _w.Mark(hidden);
        _block.Turns.Pass(lanesMeet: true);
        Reg none = _w.Const(0);
        Share(_ => none);
        Meet();
        _w.FenceSums();
        _queries.Multiply(_buffer);
        _w.WaitProducts(0);

        _w.Mark(add);
        _queries.Add(head, query);
        _w.WaitProducts(0);
        using (_w.When(_block.IsElected))
        {
            _w.Arrive(barrier, _spec.Empty);
        }

        _w.Set(_buffer, _w.Sub(_w.Const(_spec.GradientBytes), _buffer));
        _ring.Advance();
    }

    /// <summary>Whether none of the warpgroup's keys is seen by a step's queries: they stand before all that see some, or after.</summary>
    private Reg IsHidden(Reg query)
    {
        FlashVisible visible = _block.Visible;
        Reg first = _w.Add(query, visible.Shift), last = _w.Add(first, _spec.Queries - 1), lastKey = _w.Add(_lane.GroupKey, HopperGradientSpec.GroupKeys - 1);
        Reg isAfter = _w.Compare("ge", first, visible.QueryEnd(lastKey)), isBefore = _w.Compare("gt", visible.QueryStart(_lane.GroupKey), last);
        return _w.Either(isBefore, _w.Both(isAfter, _w.Not(visible.AreSinks(_lane.GroupKey))));
    }

    /// <summary>Weights, and gradients of scaled scores over scale, key by query, rounded. While the second product runs, the turn at the queries before is passed on.</summary>
    private void ScoreGradients(Reg query, Reg tile)
    {
        _w.FenceSums();
        Multiply(_scores, 0, _w.Descriptor(_w.Add(tile, _spec.QueriesAt), alongDepth: true, 0));
        Reg[] results = _w.Descriptor(_w.Add(tile, _spec.ResultsAt), alongDepth: true, 0);
        if (_spec.MasksFirst)
        {
            _w.WaitProducts(0);
            _mask.Hide(_scores, query);

            // Until here registers of these sums are free for others.
            _w.FenceSums();
            Multiply(_slopes, _spec.ValuesAt, results);
        }
        else
        {
            Multiply(_slopes, _spec.ValuesAt, results);
            _w.WaitProducts(1);
            _mask.Hide(_scores, query);
        }

        ForColumns(tile, _spec.BitsAt, (i, bits) => _w.Set(_scores[i], _w.Exp2(_w.Mad(_scores[i], _bitScale, _w.Negate(bits)))));

        // A branch between the exponentials and the wait: in one stretch the assembler puts the wait before them.
        _block.Turns.Pass(lanesMeet: true);
        _w.WaitProducts(0);
        ForColumns(tile, _spec.DeltaAt, (i, delta) => _w.Set(_slopes[i], _w.Mul(_scores[i], _w.Sub(_slopes[i], delta))));
        for (int i = 0; i < _weights.Length; i++)
        {
            _w.Set(_weights[i], _w.Pack(_spec.Type, _scores[2 * i], _scores[(2 * i) + 1]));
            _w.Set(_gradients[i], _w.Pack(_spec.Type, _slopes[2 * i], _slopes[(2 * i) + 1]));
        }
    }

    /// <summary>Starts sums = the warpgroup's rows of k, or v, times those of the queries.</summary>
    private void Multiply(Reg[] sums, int at, Reg[] right)
    {
        int steps = TensorMapShape.BoxColumns / StepDepth;
        for (int step = 0; step < _spec.Depth / StepDepth; step++)
        {
            int inPanel = step % steps * PtxWgmma.Step(true), panel = step / steps;
            _w.MultiplyGroup(
                _spec.Type, sums, _w.At(_keys, (at + (panel * HopperGradientSpec.KeyPanelBytes) >> 4) + inPanel), _w.At(right, (panel * _spec.QueryPanelBytes >> 4) + inPanel),
                step == 0 ? _never : _always, true, true);
        }

        _w.CommitProducts();
    }

    /// <summary>Starts sums += left · rows of the queries, left in registers.</summary>
    private void AddKeys(Reg[] sums, Reg[] left, Reg tile, int at)
    {
        Reg[] rows = _w.Descriptor(_w.Add(tile, at), alongDepth: false, _spec.Queries);
        for (int step = 0; step < _spec.Queries / StepDepth; step++)
        {
            _w.MultiplyGroup(_spec.Type, sums, left.AsSpan(4 * step, 4), _w.At(rows, step * PtxWgmma.Step(false)), _always, false);
        }
    }

    /// <summary>The warp's gradients go to shared memory: in panels of 64 queries a row a key.</summary>
    private void Share(Func<int, Reg> values)
    {
        for (int n = 0; n < _spec.Queries / 16; n++)
        {
            Reg target = _w.Add(_w.Add(_lane.Chunks[n % 4], _block.Shared), _buffer);
            _w.StoreMatrix(target, _spec.GradientsAt + (n / 4 * HopperGradientSpec.KeyPanelBytes), values(4 * n), values((4 * n) + 1), values((4 * n) + 2), values((4 * n) + 3));
        }
    }

    /// <summary>Products see what both warpgroups wrote.</summary>
    private void Meet()
    {
        _w.FenceAsync();
        _w.Barrier(Meeting, HopperGradientSpec.ConsumerThreads);
    }

    /// <summary>Each element of a lane's scores with its query's number, of which rows of 32 lie as tensor maps swizzle them.</summary>
    private void ForColumns(Reg tile, int at, Action<int, Reg> element)
    {
        Reg even = _w.Add(tile, _even), odd = _w.Add(tile, _w.Xor(_even, 16));
        for (int n = 0; n < _spec.Queries / 8; n++)
        {
            int row = n / 4, pair = (2 * (n % 4)) ^ (row & 2);
            Reg[] numbers = _w.LoadShared(RegKind.F32, 2, row % 2 == 0 ? even : odd, at + (row * PtxWgmma.RowBytes) + (16 * pair));
            for (int i = 0; i < 4; i++)
            {
                element((4 * n) + i, numbers[i % 2]);
            }
        }
    }
}
