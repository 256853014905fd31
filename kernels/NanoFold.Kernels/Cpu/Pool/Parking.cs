using System.Numerics;

namespace NanoFold.Kernels.Cpu.Pool;

/// <summary>Workers that sleep until they are woken, a bit each: whether any of the first ones does is seen at one look.</summary>
internal sealed class Parking : IDisposable
{
    private const int WordBits = 64;

    private readonly SemaphoreSlim[] _bells;

    // Written only when somebody parks or is woken.
    private readonly long[] _parked;

    /// <param name="workers">All, the caller of runs (number 0, which never parks) included.</param>
    public Parking(int workers)
    {
        _bells = new SemaphoreSlim[workers];
        for (int i = 0; i < workers; i++)
        {
            _bells[i] = new SemaphoreSlim(0);
        }

        _parked = new long[(workers + WordBits - 1) / WordBits];
    }

    /// <summary>The lowest one parked of the first <paramref name="workers"/>, or −1.</summary>
    public int Lowest(int workers)
    {
        for (int word = 0, first = 0; first < workers; word++, first += WordBits)
        {
            long parked = Volatile.Read(ref _parked[word]);
            if (parked != 0 && first + BitOperations.TrailingZeroCount(parked) is var lowest && lowest < workers)
            {
                return lowest;
            }
        }

        return -1;
    }

    /// <summary>Says that a worker is about to sleep. It must look for work once more before it does.</summary>
    public void Announce(int worker) => Interlocked.Or(ref _parked[worker / WordBits], Bit(worker));

    /// <summary>Takes that back; false where somebody woke it in between, and it must <see cref="Sleep"/> to take that up.</summary>
    public bool TakeBack(int worker) => (Interlocked.And(ref _parked[worker / WordBits], ~Bit(worker)) & Bit(worker)) != 0;

    public void Sleep(int worker) => _bells[worker].Wait();

    /// <summary>Wakes a worker unless somebody did.</summary>
    public void Wake(int worker)
    {
        if (TakeBack(worker))
        {
            _bells[worker].Release();
        }
    }

    /// <summary>Wakes all, those that do not sleep when they next would.</summary>
    public void WakeAll()
    {
        foreach (SemaphoreSlim bell in _bells)
        {
            bell.Release();
        }
    }

    public void Dispose()
    {
        foreach (SemaphoreSlim bell in _bells)
        {
            bell.Dispose();
        }
    }

    private static long Bit(int worker) => 1L << worker;
}
