namespace NanoFold.Kernels.Cpu;

/// <summary>Work cut into items by shape, never by the number of threads. Item results must not depend on the worker.</summary>
public interface IWork
{
    /// <summary>Does item <paramref name="item"/>; <paramref name="worker"/> in [0, Workers.Count) names the thread, for scratch memory.</summary>
    void Invoke(long item, int worker);
}
