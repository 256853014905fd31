namespace NanoFold.Kernels.Cpu.Pool;

/// <summary>
/// How long a thread looks for something before it sleeps: longer than most gaps between two kernels. One that is woken soon after it slept looks longer the next time, and lets
/// others have its core between these looks; one that slept long looks shortly again.
/// </summary>
internal struct Wait()
{
    // A thread that gives its core away may not have it again for milliseconds: at first, for some 200 microseconds, it keeps it.
    private const int LooksOnCore = 1350, MostLooks = LooksOnCore + 2000;
    private const int ShortSpin = 4, LongSpin = 20;

    // Having slept for less it would have been better to look on.
    private static readonly TimeSpan s_soon = TimeSpan.FromMilliseconds(2);

    private int _most = LooksOnCore;
    private int _looked;

    /// <summary>Waits a little; false where it is time to sleep, and begins again.</summary>
    public bool Again()
    {
        if (++_looked > _most)
        {
            _looked = 0;
            return false;
        }

        if (_looked <= LooksOnCore)
        {
            Thread.SpinWait(ShortSpin);
        }
        else
        {
            Thread.SpinWait(LongSpin);
            Thread.Yield();
        }

        return true;
    }

    /// <summary>Something came.</summary>
    public void Restart() => _looked = 0;

    /// <summary>It slept for so long.</summary>
    public void Woken(TimeSpan slept) => _most = slept < s_soon ? Math.Min(2 * _most, MostLooks) : LooksOnCore;
}
