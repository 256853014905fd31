using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash.Hopper;

/// <summary>What all roles of a block of the backward pass know: which keys of which head it has, by a ticket, and which queries see these.</summary>
internal sealed class HopperKeys
{
    private readonly PtxWriter _w;
    private readonly HopperGradientSpec _spec;
    private readonly Reg _start, _end;

    /// <param name="w">Of the kernel, in which all threads meet here.</param>
    /// <param name="spec">Which kernel.</param>
    public HopperKeys(PtxWriter w, in HopperGradientSpec spec)
    {
        (_w, _spec) = (w, spec);
        Shared = w.SharedBase();
        Thread = w.ThreadX();
        IsElected = w.Elect();
        MakeBarriers();
        w.WaitForEarlier();
        (Reg pair, Reg number) = FlashTurns.Take(w, spec.TicketAt);
        Reg keyHeads = FlashArguments.Read(w, nameof(FlashArguments.KeyHeads));
        Batch = w.Div(pair, keyHeads);
        KeyHead = w.Rem(pair, keyHeads);
        Visible = new FlashVisible(w, spec.HasPrefix, Batch);
        First = w.Mul(number, HopperGradientSpec.Keys);
        Turns = new FlashTurns(w, spec.Turns, Visible, Batch, First, w.Sub(Thread, HopperGradientSpec.Threads - HopperGradientSpec.ConsumerThreads));
        (_start, _end) = Visible.Queries(First, HopperGradientSpec.Keys, spec.Queries, spec.Documents);
    }

    public Reg Shared { get; }

    public Reg Thread { get; }

    /// <summary>One lane of each warp.</summary>
    public Reg IsElected { get; }

    public Reg Batch { get; }

    public Reg KeyHead { get; }

    /// <summary>First key of the block.</summary>
    public Reg First { get; }

    public FlashVisible Visible { get; }

    public FlashTurns Turns { get; }

    /// <summary>Runs <paramref name="step"/> for each block of queries of which some see some of the keys, in order, of each head that shares them, given the head and the first query.</summary>
    public void Walk(Action<Reg, Reg> step)
    {
        Reg heads = FlashArguments.Read(_w, nameof(FlashArguments.GroupHeads)), head = _w.New(RegKind.B32), query = _w.New(RegKind.B32), endHead = _w.Mad(KeyHead, heads, heads);
        _w.Set(head, _w.Mul(KeyHead, heads));
        _w.Set(query, _start);
        string loop = _w.NewLabel(), away = _w.NewLabel(), end = _w.NewLabel();
        BranchIf(_w.Compare("ge", _start, _end), end);
        _w.Mark(loop);
        BranchIf(_w.Not(Turns.IsThere(query)), away);
        step(head, query);
        _w.Mark(away);
        Reg following = _w.Add(query, _spec.Queries), isHeadDone = _w.Compare("ge", following, _end);
        _w.Set(query, _w.Select(isHeadDone, _start, following));
        _w.Set(head, _w.Add(head, _w.Select(isHeadDone, 1, 0)));
        BranchIf(_w.Compare("lt", head, endHead), loop);
        _w.Mark(end);
    }

    /// <summary>Goes to the label where the predicate holds, for all lanes of the warp or none.</summary>
    public void BranchIf(Reg predicate, string label)
    {
        using (_w.When(predicate))
        {
            _w.Branch(label);
        }
    }

    private void MakeBarriers()
    {
        Reg barriers = _w.Add(Shared, _spec.BarriersAt);
        using (_w.When(_w.Compare("eq", Thread, 0)))
        {
            _w.InitBarrier(barriers, HopperGradientSpec.Fixed, 1);
            for (int stage = 0; stage < _spec.Stages; stage++)
            {
                _w.InitBarrier(barriers, HopperGradientSpec.Full + (8 * stage), 1);
                _w.InitBarrier(barriers, _spec.Empty + (8 * stage), HopperGradientSpec.ConsumerThreads / 32);
            }

            _w.FenceBarrierInit();
        }
    }
}
