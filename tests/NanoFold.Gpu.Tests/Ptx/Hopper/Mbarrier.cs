namespace NanoFold.Gpu.Tests.Ptx.Hopper;

/// <summary>A barrier in shared memory: a phase ends when all threads have arrived and no bytes are outstanding.</summary>
internal sealed class Mbarrier
{
    private const int MostBytes = (1 << 20) - 1;

    private readonly int _count;
    private int _pending, _bytes;

    public Mbarrier(int count, PtxWarp maker) => (_count, _pending, Maker) = (count, count, maker);

    public int Phase { get; private set; }

    public PtxWarp Maker { get; }

    /// <summary>Threads of other blocks arrive at it: who waits must do so for the whole cluster.</summary>
    public bool HasOthers { get; private set; }

    /// <summary>Copies, and other blocks, may see it.</summary>
    public bool IsFenced { get; set; }

    /// <summary>A thread of another block is about to arrive.</summary>
    public void SeeOthers()
    {
        HasOthers = true;
        SeeFenced();
    }

    /// <summary>Something else than its block's threads is about to use it.</summary>
    public void SeeFenced()
    {
        if (!IsFenced)
        {
            throw new InvalidOperationException("the mbarrier was made without fence.mbarrier_init");
        }
    }

    public void Expect(int bytes)
    {
        _bytes += bytes;
        if (Math.Abs(_bytes) > MostBytes)
        {
            throw new InvalidOperationException($"an mbarrier cannot count {_bytes} bytes");
        }
    }

    public void Arrive()
    {
        if (_pending == 0)
        {
            throw new InvalidOperationException($"more than {_count} threads arrive at an mbarrier");
        }

        _pending--;
        MayEnd();
    }

    public void Complete(int bytes)
    {
        _bytes -= bytes;
        MayEnd();
    }

    /// <summary>Whether the phase of that parity has ended.</summary>
    public bool HasEnded(int parity) => (Phase & 1) != parity;

    public override string ToString() => $"phase {Phase}, {_pending} of {_count} to arrive, {_bytes} bytes to come";

    private void MayEnd()
    {
        if (_pending == 0 && _bytes == 0)
        {
            Phase++;
            _pending = _count;
        }
    }
}
