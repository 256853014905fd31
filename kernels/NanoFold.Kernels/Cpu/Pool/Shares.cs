namespace NanoFold.Kernels.Cpu.Pool;

/// <summary>
/// The items of a run, cut into one row of neighbors for each worker: it begins with its own, which lie where those of the last run of this size
/// did, and then helps others. A share is begun from its front by whoever comes, so one that has no worker waits for nobody.
/// </summary>
internal unsafe ref struct Shares
{
    // A count of an earlier run counts as 0, so that nobody has to clear them: the low bits of the run's number stand above it.
    private const int BegunBits = 40;
    private const long RunMask = (1L << (64 - BegunBits)) - 1;

    private readonly WorkerLine* _lines;
    private readonly long _run;
    private readonly int _workers;
    private readonly long _each;
    private readonly long _more;

    // The share that items are begun of now, and how many were left before.
    private WorkerLine* _line;
    private int _owner;
    private int _passed;
    private long _first;
    private long _length;

    /// <param name="lines">Of the pool's workers.</param>
    /// <param name="run">Its number.</param>
    /// <param name="items">All items.</param>
    /// <param name="workers">How many have a share.</param>
    /// <param name="worker">Whose share comes first.</param>
    public Shares(WorkerLine* lines, long run, long items, int workers, int worker)
    {
        _lines = lines;
        _run = run & RunMask;
        _workers = workers;
        _each = items / workers;
        _more = items - (_each * workers);
        MoveTo(worker);
    }

    /// <summary>Most items that a run may have.</summary>
    public const long MostItems = (1L << BegunBits) - 1;

    /// <summary>Whether what counts of runs hold must be cleared first: their low bits begin again.</summary>
    public static bool BeginsAgain(long run) => (run & RunMask) == 0;

    /// <summary>Whether the share that the last item was of has more.</summary>
    public readonly bool HasMore => Begun(Volatile.Read(ref _line->Begun)) < _length;

    /// <summary>The next item; −1 where all are begun.</summary>
    public long Next()
    {
        while (true)
        {
            long seen = Volatile.Read(ref _line->Begun);
            while (Begun(seen) is var begun && begun < _length)
            {
                long was = Interlocked.CompareExchange(ref _line->Begun, (_run << BegunBits) | (begun + 1), seen);
                if (was == seen)
                {
                    return _first + begun;
                }

                seen = was;
            }

            // No share gets more again.
            if (++_passed >= _workers)
            {
                return -1;
            }

            MoveTo(_owner + 1 < _workers ? _owner + 1 : 0);
        }
    }

    /// <summary>Whether items of a worker's share are left to begin.</summary>
    public readonly bool HasLeft(int owner) => Begun(Volatile.Read(ref _lines[owner].Begun)) < Length(owner);

    private void MoveTo(int owner)
    {
        _owner = owner;
        _line = _lines + owner;
        _first = (_each * owner) + Math.Min(owner, _more);
        _length = Length(owner);
    }

    private readonly long Length(int owner) => owner < _more ? _each + 1 : _each;

    private readonly long Begun(long word) => (long)((ulong)word >> BegunBits) == _run ? word & MostItems : 0;
}
