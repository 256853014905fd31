using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash.Hopper;

/// <summary>
/// The role of a warpgroup that computes 64 queries: while the product of a step's weights and values runs, the scores of the next step become weights. Steps of which
/// none of its queries sees a key are handed back unused.
/// </summary>
/// <remarks>
/// While it hands a step back, values of the step before may still wait for their product and hold their stage. What one warpgroup sees begins and ends at most 64 · (warpgroups − 1) keys from where
/// that of another does, and a step has as many keys: so it is one step at a time, and two stages are enough.
/// </remarks>
internal sealed class HopperConsumer
{
    private const int StepDepth = 16;

    private readonly PtxWriter _w;
    private readonly HopperSpec _spec;
    private readonly HopperBlock _block;
    private readonly PtxRing _ring, _values;
    private readonly FlashSoftmax _softmax;
    private readonly FlashMask _mask;
    private readonly HopperResults _results;
    private readonly Reg _group, _key, _always, _never, _firstRow;
    private readonly Reg[] _scores, _weights, _output, _queries;

    public HopperConsumer(PtxWriter w, HopperSpec spec, HopperBlock block)
    {
        (_w, _spec, _block) = (w, spec, block);
        _group = w.Sub(w.Shr(block.Thread, 7), 1);
        Reg warp = w.And(w.Shr(block.Thread, 5), 3), lane = w.And(block.Thread, 31);
        Reg rowOfLane = w.Shr(lane, 2), columnOfLane = w.Shl(w.And(lane, 3), 1);
        _firstRow = w.Mad(_group, HopperSpec.GroupRows, block.First);
        Reg warpRow = w.Mad(warp, 16, _firstRow), zero = w.Const(0);
        (_always, _never) = (w.Compare("eq", zero, 0), w.Compare("ne", zero, 0));
        _softmax = new FlashSoftmax(w, 1, spec.Columns / 8);
        _mask = new FlashMask(w, block.Visible, spec.HasPrefix, spec.Documents, w.Add(warpRow, block.Visible.Shift), (rowOfLane, columnOfLane), 1, spec.Columns);
        _results = new HopperResults(w, spec, block, _group, warp, lane, _firstRow, w.Add(warpRow, rowOfLane), columnOfLane);
        _ring = new PtxRing(w, spec.Ring, block.Shared, firstParity: 0);
        _values = new PtxRing(w, spec.Ring, block.Shared, firstParity: 0);
        (_key, _scores, _weights, _output) = (w.New(RegKind.B32), w.New(RegKind.F32, spec.Columns / 2), w.New(RegKind.B32, spec.Columns / 4), w.New(RegKind.F32, spec.Width / 2));
        _queries = w.Descriptor(w.Mad(_group, spec.GroupBytes, block.Shared), alongDepth: true, 0);
    }

    public void Write()
    {
        string loop = _w.NewLabel(), last = _w.NewLabel(), end = _w.NewLabel();
        foreach (Reg sum in _output)
        {
            _w.Set(sum, 0f);
        }

        _w.Set(_key, _block.Range.Next(_w.Const(0)));
        _w.WaitBarrier(_w.Add(_w.Mad(_group, 8, _block.Shared), _spec.BarriersAt), HopperSpec.Queries, _w.Const(0), "the queries");
        Seek(end);
        Reg barrier = Scores();
        _w.WaitProducts(0);
        HandBack(barrier, _spec.EmptyKeys);
        Weigh(null);

        _w.Mark(loop);
        Advance();
        Seek(last);
        barrier = Scores();
        Reg values = AddOutput(isFenced: true);
        _w.WaitProducts(1);
        HandBack(barrier, _spec.EmptyKeys);
        Weigh(values);
        _w.Branch(loop);

        _w.Mark(last);
        AddOutput(isFenced: false);
        _w.WaitProducts(0);
        _w.Mark(end);
        _results.Store(_softmax, _output);
    }

    /// <summary>Goes on to the next step that is for this warpgroup; to <paramref name="none"/> after the last one.</summary>
    private void Seek(string none)
    {
        string again = _w.NewLabel(), found = _w.NewLabel();
        _w.Mark(again);
        using (_w.When(_w.Compare("ge", _key, _block.Range.End)))
        {
            _w.Branch(none);
        }

        Reg isSeen = IsSeen();
        using (_w.When(isSeen))
        {
            _w.Branch(found);
        }

        // Not before the stage is there: a barrier counts one hand-over a round.
        Reg barrier = _ring.Barrier();
        _w.WaitBarrier(barrier, _spec.FullKeys, _ring.Parity, "keys that nobody needs");
        HandBack(barrier, _spec.EmptyKeys);
        _w.WaitBarrier(barrier, _spec.FullValues, _ring.Parity, "values that nobody needs");
        HandBack(barrier, _spec.EmptyValues);
        Move();
        _w.Branch(again);
        _w.Mark(found);
    }

    /// <summary>Whether some query of the warpgroup may see some key of the step.</summary>
    private Reg IsSeen()
    {
        FlashVisible visible = _block.Visible;
        Reg first = _w.Add(_firstRow, visible.Shift), last = _w.Add(first, HopperSpec.GroupRows - 1), lastKey = _w.Add(_key, _spec.Columns - 1);
        Reg isInWindow = _w.Both(_w.Compare("lt", _key, visible.End(last)), _w.Compare("ge", lastKey, visible.Start(first)));
        return _w.Both(_w.Compare("lt", _firstRow, visible.Time), _w.Either(isInWindow, _w.Compare("lt", _key, visible.SinkEnd(last))));
    }

    /// <summary>Starts scores = q kᵀ; gives the stage's barrier.</summary>
    private Reg Scores()
    {
        Reg barrier = _ring.Barrier();
        _w.WaitBarrier(barrier, _spec.FullKeys, _ring.Parity, "keys");
        Reg[] keys = _w.Descriptor(_w.Add(_ring.Tile(), _spec.KeysAt), alongDepth: true, 0);
        int steps = TensorMapShape.BoxColumns / StepDepth;
        _w.FenceSums();
        for (int step = 0; step < _spec.Depth / StepDepth; step++)
        {
            int inPanel = step % steps * PtxWgmma.Step(true), panel = step / steps;
            _w.MultiplyGroup(
                _spec.Type, _scores, _w.At(_queries, panel * (HopperSpec.RowPanelBytes >> 4) + inPanel), _w.At(keys, panel * (_spec.ColumnPanelBytes >> 4) + inPanel),
                step == 0 ? _never : _always, true, true);
        }

        _w.CommitProducts();
        return barrier;
    }

    /// <summary>Starts output += weights · v; gives the barrier of the values' stage.</summary>
    /// <param name="isFenced">Whether what was written to weights and output was fenced for the scores.</param>
    private Reg AddOutput(bool isFenced)
    {
        Reg barrier = _values.Barrier();
        _w.WaitBarrier(barrier, _spec.FullValues, _values.Parity, "values");
        Reg[] values = _w.Descriptor(_w.Add(_values.Tile(), _spec.ValuesAt), alongDepth: false, _spec.Columns);
        if (!isFenced)
        {
            _w.FenceSums();
        }

        for (int step = 0; step < _spec.Columns / StepDepth; step++)
        {
            _w.MultiplyGroup(_spec.Type, _output, _weights.AsSpan(4 * step, 4), _w.At(values, step * PtxWgmma.Step(false)), _always, false);
        }

        _w.CommitProducts();
        return barrier;
    }

    /// <summary>Scores become weights; when the product under way is done, its values' stage is handed back and the output follows the maxima. Without one there is no output yet.</summary>
    private void Weigh(Reg? values)
    {
        _mask.Hide(_scores, _key);
        (Reg[] largest, Reg grows) = _softmax.Look(_scores);
        Reg stays = _w.Not(_w.Any(grows));
        string isSame = _w.NewLabel(), isOver = _w.NewLabel(), isDone = _w.NewLabel();
        Reg[] factors = _w.New(RegKind.F32, largest.Length);
        foreach (Reg factor in factors)
        {
            _w.Set(factor, 1f);
        }

        BranchIf(stays, isSame);
        for (int row = 0; row < largest.Length; row++)
        {
            _w.Set(factors[row], _softmax.Follow(row, largest[row]));
        }

        _w.Mark(isSame);
        _softmax.Weigh(_scores);
        if (values is { } barrier)
        {
            // Each way has its own wait: in one stretch with the exponentials the assembler puts it before them, and nothing overlaps.
            BranchIf(stays, isOver);
            EndOutput(barrier);
            for (int row = 0; row < largest.Length; row++)
            {
                FlashSoftmax.ForRow(row, _spec.Width / 8, i => _w.Set(_output[i], _w.Mul(_output[i], factors[row])));
            }

            _w.Branch(isDone);
            _w.Mark(isOver);
            EndOutput(barrier);
            _w.Mark(isDone);
        }

        for (int i = 0; i < _weights.Length; i++)
        {
            _w.Set(_weights[i], _w.Pack(_spec.Type, _scores[2 * i], _scores[2 * i + 1]));
        }
    }

    private void EndOutput(Reg values)
    {
        _w.WaitProducts(0);
        HandBack(values, _spec.EmptyValues);
    }

    /// <summary>The step's values come with the next step's scores.</summary>
    private void Advance()
    {
        _values.Set(_ring);
        Move();
    }

    private void Move()
    {
        _ring.Advance();
        _w.Set(_key, _block.Range.Next(_w.Add(_key, _spec.Columns)));
    }

    /// <summary>Each warp hands back for itself, for a wait says nothing of other warps.</summary>
    private void HandBack(Reg barrier, int offset)
    {
        using (_w.When(_block.IsElected))
        {
            _w.Arrive(barrier, offset);
        }
    }

    private void BranchIf(Reg predicate, string label)
    {
        using (_w.When(predicate))
        {
            _w.Branch(label);
        }
    }
}
