using NanoFold.Kernels;

namespace NanoFold.Engine.Training;

/// <summary>
/// Processes that train one model together, each with its part of a step's micro-batches. All call the same members in the same order, one thread each; a call
/// returns when every process it needs has made it. What is behind it (sockets, MPI, NCCL) is the host program's; <see cref="Alone"/> is a single process.
/// <para>
/// No process waits for ever: where another one is gone, or silent for longer than the implementation allows, a call throws a <see cref="UserException"/>
/// that names it. Process 0 evaluates, measures and saves while the others wait, so that time is longer than these take, or a process that is alive says so meanwhile.
/// </para>
/// </summary>
public interface ICollective
{
    /// <summary>The number of this process, from 0. Process 0 decides, writes, evaluates and measures.</summary>
    int Rank { get; }

    /// <summary>How many processes there are.</summary>
    int World { get; }

    /// <summary>x = ((x₀ + x₁) + x₂) + … over the processes in the order of their numbers, one rounding each, and so the same bits in all of them.</summary>
    /// <param name="x">Contiguous, of Float32 or Int32 and of one shape everywhere; overwritten.</param>
    void Sum(in View x);

    /// <summary>The same of numbers on the host.</summary>
    void Sum(Span<double> values);

    /// <summary>What process 0 has, in all of them.</summary>
    /// <param name="x">Contiguous, of any type, of one shape everywhere; overwritten but in process 0.</param>
    void Broadcast(in View x);

    /// <summary>The same of bytes on the host, as many everywhere.</summary>
    void Broadcast(Span<byte> bytes);

    /// <summary>This process takes no further part: whatever the others call from now on, or wait in, throws a <see cref="UserException"/> with the reason. Never throws.</summary>
    void Leave(string reason);
}

/// <summary>A single process: what it has is the sum, and what it decides holds.</summary>
public sealed class Alone : ICollective
{
    private Alone()
    {
    }

    public static Alone Instance { get; } = new();

    public int Rank => 0;

    public int World => 1;

    public void Sum(in View x)
    {
    }

    public void Sum(Span<double> values)
    {
    }

    public void Broadcast(in View x)
    {
    }

    public void Broadcast(Span<byte> bytes)
    {
    }

    public void Leave(string reason)
    {
    }
}
