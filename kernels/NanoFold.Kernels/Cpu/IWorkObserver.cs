namespace NanoFold.Kernels.Cpu;

/// <summary>Who is told what each thread of the pool did in a run; called on that thread, so it must be quick and must not allocate.</summary>
public interface IWorkObserver
{
    /// <param name="worker">The thread; 0 is the one that started the run.</param>
    /// <param name="work">Type of the work items.</param>
    /// <param name="started">Ticks of <see cref="System.Diagnostics.Stopwatch"/> when it joined; it leaves now.</param>
    /// <param name="items">Items that it did.</param>
    void Ran(int worker, Type work, long started, long items);
}
