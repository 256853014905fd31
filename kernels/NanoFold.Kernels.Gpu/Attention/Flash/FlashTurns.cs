using System.Numerics;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash;

/// <summary>
/// In which order blocks of keys add to the sums of a block of queries: always the same, so that the sums have the same bits. The last block of keys is the first to add, and
/// there is a counter of turns for each warp of each block of queries. With causal attention a block of keys begins where the next one, which is a step ahead, has been.
/// </summary>
/// <remarks>
/// Nobody may wait for a block that cannot start before he ends. So blocks take their work when they start, by a ticket, in the order of the turns: who waits, waits for smaller
/// tickets, and these run. Which blocks of keys visit a block of queries follows from what the queries see, and is the same for all who ask.
/// </remarks>
internal sealed class FlashTurns
{
    /// <summary>Bytes before the counters: the next ticket.</summary>
    private const int TicketBytes = 16;

    /// <summary>No turn is held.</summary>
    private const int None = -1;

    private readonly PtxWriter _w;
    private readonly FlashTurnShape _shape;
    private readonly FlashVisible _visible;
    private readonly Reg _batch, _firstKey, _thread, _held;

    /// <param name="w">Of the kernel.</param>
    /// <param name="shape">What blocks have.</param>
    /// <param name="visible">What queries see.</param>
    /// <param name="batch">Row of the batch.</param>
    /// <param name="firstKey">Of the block.</param>
    /// <param name="thread">Its number among those that add.</param>
    public FlashTurns(PtxWriter w, FlashTurnShape shape, FlashVisible visible, Reg batch, Reg firstKey, Reg thread)
    {
        (_w, _shape, _visible, _batch, _firstKey, _thread) = (w, shape, visible, batch, firstKey, thread);
        _held = w.New(RegKind.B32);
        w.Set(_held, None);
    }

    /// <summary>Bytes of the ticket and the counters, to be 0 when the kernel starts.</summary>
    public static long Bytes(long queryBlocks, int warps) => TicketBytes + (queryBlocks * warps * sizeof(int));

    /// <summary>Takes a ticket: the number of a key head over all batch rows, and of a block of keys.</summary>
    /// <param name="w">Of the kernel.</param>
    /// <param name="offset">Of 4 bytes of shared memory that nobody writes until the next barrier.</param>
    public static (Reg Pair, Reg Block) Take(PtxWriter w, int offset)
    {
        Reg shared = w.SharedBase(), isFirst = w.Compare("eq", w.ThreadX(), 0), counter = FlashArguments.Read(w, RegKind.B64, nameof(FlashArguments.Turns));
        using (w.When(isFirst))
        {
            w.StoreShared(shared, offset, w.AtomicAdd(counter, 1));
        }

        w.Barrier();
        Reg ticket = w.LoadShared(RegKind.B32, shared, offset), blocks = FlashArguments.Read(w, nameof(FlashArguments.KeyBlocks));
        return (w.Div(ticket, blocks), w.Sub(w.Sub(blocks, 1), w.Rem(ticket, blocks)));
    }

    /// <summary>Number of a block of queries over all heads and batch rows.</summary>
    public Reg Number(Reg head, Reg query)
    {
        Reg pair = _w.Mad(_batch, FlashArguments.Read(_w, nameof(FlashArguments.Heads)), head);
        return _w.Mad(pair, FlashArguments.Read(_w, nameof(FlashArguments.QueryBlocks)), _w.Shr(query, BitOperations.Log2((uint)_shape.Queries)));
    }

    /// <summary>Whether some of the block's keys are seen by some of the queries from one on; otherwise the block has no turn there.</summary>
    public Reg IsThere(Reg query)
    {
        Seen seen = SeenBy(query);
        Reg block = Floor(_firstKey);
        return _w.Either(
            _w.Both(_w.Compare("ge", block, seen.Start), _w.Compare("lt", block, seen.End)),
            _w.Both(_w.Compare("ge", block, seen.SinkStart), _w.Compare("lt", block, seen.SinkEnd)));
    }

    /// <summary>How many blocks of keys add before this one at the queries from one on, and whether none adds after it.</summary>
    public (Reg Before, Reg IsLast) Of(Reg query)
    {
        Seen seen = SeenBy(query);
        Reg block = Floor(_firstKey), next = _w.Add(block, 1);
        Reg before = _w.Add(After(next, seen.Start, seen.End), After(next, seen.SinkStart, seen.SinkEnd));
        return (before, _w.Compare("eq", block, _w.Select(_w.Compare("gt", seen.SinkEnd, 0), seen.SinkStart, seen.Start)));
    }

    /// <summary>Waits for the warp's turn at a block of queries: all sums that were added before are there.</summary>
    public void Wait(Reg number, Reg before)
    {
        string again = _w.NewLabel();
        Reg counter = Counter(number);
        _w.Mark(again);
        Reg isNot = _w.Any(_w.Compare("ne", _w.LoadAcquire(counter), before));
        using (_w.When(isNot))
        {
            _w.Branch(again);
        }
    }

    /// <summary>The turn is held until <see cref="Pass"/>.</summary>
    public void Hold(Reg number) => _w.Set(_held, number);

    /// <summary>Passes on the turn that the warp holds, if any: some time after its lanes added, so that this is done and the release has little to wait for.</summary>
    /// <param name="lanesMeet">The lanes meet here; otherwise they have done so since they added, as the block has.</param>
    public void Pass(bool lanesMeet = false)
    {
        string nothing = _w.NewLabel();
        using (_w.When(_w.Compare("eq", _held, None)))
        {
            _w.Branch(nothing);
        }

        if (lanesMeet)
        {
            _w.WarpBarrier();
        }

        Reg counter = Counter(_held);
        using (_w.When(_w.Compare("eq", _w.And(_thread, 31), 0)))
        {
            _w.ReleaseAdd(counter, 1);
        }

        _w.Set(_held, None);
        _w.Mark(nothing);
    }

    /// <summary>Blocks of keys of which some are seen by some of the queries from one on: of the sinks, and after them.</summary>
    private Seen SeenBy(Reg query)
    {
        Reg first = _w.Add(query, _visible.Shift), last = _w.Add(first, _shape.Queries - 1);
        Reg low = _w.Const(0), high = _visible.Keys;
        if (_shape.Documents)
        {
            (low, high) = (_visible.Low(first), _visible.High(last));
        }

        Reg sinks = _w.Min(_visible.SinkEnd(last), high), hasSinks = _w.Compare("gt", sinks, low);
        Reg sinkEnd = _w.Select(hasSinks, Ceiling(sinks), 0);
        return new(_w.Select(hasSinks, Floor(low), 0), sinkEnd, _w.Max(Floor(_w.Max(_visible.Start(first), low)), sinkEnd), Ceiling(_w.Min(_visible.End(last), high)));
    }

    /// <summary>Blocks from <paramref name="next"/> on that are in a range.</summary>
    private Reg After(Reg next, Reg start, Reg end) => _w.Max(_w.Sub(end, _w.Max(start, next)), 0);

    /// <summary>A counter of turns: the warp's, of a block of queries.</summary>
    private Reg Counter(Reg number)
    {
        Reg index = _w.Mad(number, _shape.Warps, _w.Shr(_thread, 5));
        return _w.Op(RegKind.B64, "add.s64", _w.MadWide(index, sizeof(int), FlashArguments.Read(_w, RegKind.B64, nameof(FlashArguments.Turns))), TicketBytes);
    }

    private Reg Floor(Reg key) => _w.Shr(key, BitOperations.Log2((uint)_shape.Keys));

    private Reg Ceiling(Reg key) => Floor(_w.Add(key, _shape.Keys - 1));

    /// <summary>Ranges of blocks of keys.</summary>
    private readonly record struct Seen(Reg SinkStart, Reg SinkEnd, Reg Start, Reg End);
}

/// <summary>What blocks have that take turns.</summary>
/// <param name="Queries">Of a block of queries, a power of two.</param>
/// <param name="Keys">Of a block of keys, a power of two.</param>
/// <param name="Warps">That add, each its part of dq.</param>
/// <param name="Documents">Whether documents are compared.</param>
internal readonly record struct FlashTurnShape(int Queries, int Keys, int Warps, bool Documents);
