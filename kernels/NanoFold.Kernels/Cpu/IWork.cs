using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu;

/// <summary>Work cut into items by shape, never by the number of threads. Item results must not depend on the worker.</summary>
public interface IWork
{
    /// <summary>Does item <paramref name="item"/>; <paramref name="worker"/> in [0, Workers.Count) names the thread, for scratch memory.</summary>
    void Invoke(long item, int worker);
}

/// <summary>Work items of a kernel written once for every lane; see <see cref="CpuContext.Run{TWork}(DType, long, ref TWork, bool)"/>.</summary>
public interface ILaneWork
{
    void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>;
}

/// <summary>Who is told what each thread of the pool did in a run; called on that thread, so it must be quick and must not allocate.</summary>
public interface IWorkObserver
{
    /// <param name="worker">The thread; 0 is the one that started the run.</param>
    /// <param name="work">Type of the work items.</param>
    /// <param name="started">Ticks of <see cref="System.Diagnostics.Stopwatch"/> when it joined; it leaves now.</param>
    /// <param name="items">Items that it did.</param>
    void Ran(int worker, Type work, long started, long items);

    /// <summary>Called by the thread that started the run when all are done.</summary>
    /// <param name="work">Type of the work items.</param>
    /// <param name="items">All of them.</param>
    /// <param name="opened">Ticks when the run began; it ends now.</param>
    void Closed(Type work, long items, long opened);
}
