using NanoFold.Kernels.Lanes;
using NanoFold.Kernels.Memory;

namespace NanoFold.Kernels.Cpu;

/// <summary>What every CPU kernel shares: the worker pool, the instruction-set path, scratch memory per worker.</summary>
public sealed class CpuContext : IDisposable
{
    /// <summary>A huge page where the system has them: packed operands are read over and over.</summary>
    private const long LeastScratch = 1 << 21;

    private readonly NativeBuffer?[] _scratch;
    private NativeBuffer? _activations;

    /// <param name="threads">Threads that work, the caller's included.</param>
    /// <param name="isa">The path to take; any runs anywhere.</param>
    public CpuContext(int threads, Isa isa)
        : this(new Workers(threads), isa)
    {
    }

    /// <param name="workers">The pool, which is this one's from now on.</param>
    /// <param name="isa">The path to take; any runs anywhere.</param>
    internal CpuContext(Workers workers, Isa isa)
    {
        Workers = workers;
        Isa = isa;
        _scratch = new NativeBuffer?[workers.Count];
    }

    public Workers Workers { get; }

    public Isa Isa { get; }

    /// <summary>See <see cref="Backend.Sequences"/>.</summary>
    public int Sequences { get; set; } = 1;

    /// <summary>See <see cref="Backend.RoundsActivations"/>.</summary>
    public bool RoundsActivations { get; set; }

    /// <summary>See <see cref="Backend.RoundsOperands"/>.</summary>
    public bool RoundsOperands { get; set; }

    /// <summary>Scratch of one worker, at least <paramref name="bytes"/> long and aligned; contents are arbitrary and live until the next call for this worker.</summary>
    public unsafe void* Scratch(int worker, long bytes) => Room(ref _scratch[worker], bytes);

    /// <summary>Scratch for the rounded activations of a product, which all workers read.</summary>
    public unsafe void* Activations(long bytes) => Room(ref _activations, bytes);

    /// <summary>Whether there are lanes for a type: there are none for those of 16 bits.</summary>
    public static bool Supports(DType type) => !type.Is16Bit();

    /// <summary>Throws for a type that no lane has.</summary>
    public static void Require(DType type)
    {
        if (!Supports(type))
        {
            throw new NotSupportedException($"cpu: has no kernels for {type}; it computes in Float32 and Float64");
        }
    }

    /// <summary>Runs items 0 … count − 1 with the lane of <paramref name="type"/> and this context's path; on the calling thread alone where not <paramref name="parallel"/>.</summary>
    public void Run<TWork>(DType type, long count, ref TWork work, bool parallel = true)
        where TWork : struct, ILaneWork
    {
        Require(type);
        if (type == DType.Float64)
        {
            Run<TWork, LaneDouble>(count, ref work, parallel);
            return;
        }

        switch (Isa)
        {
            case Isa.Vector512:
                Run<TWork, Lane16>(count, ref work, parallel);
                break;
            case Isa.Vector256:
                Run<TWork, Lane8>(count, ref work, parallel);
                break;
            case Isa.Vector128:
                Run<TWork, Lane4>(count, ref work, parallel);
                break;
            default:
                Run<TWork, Lane1>(count, ref work, parallel);
                break;
        }
    }

    /// <summary>Work items to be run over and over, as <see cref="Run{TWork}(DType, long, ref TWork, bool)"/> does.</summary>
    /// <param name="type">Of the lane.</param>
    /// <param name="count">Items.</param>
    /// <param name="work">What is done; it points at nothing that is gone by then.</param>
    /// <param name="parallel">Whether several threads take part.</param>
    /// <param name="check">Looks at contents that may be wrong, before every run; or null.</param>
    public PreparedCall Prepare<TWork>(DType type, long count, in TWork work, bool parallel = true, Action? check = null)
        where TWork : struct, ILaneWork
    {
        Require(type);
        bool shares = parallel && count > 1;
        if (type == DType.Float64)
        {
            return new Prepared<TWork, LaneDouble>(Workers, count, work, shares, check);
        }

        return Isa switch
        {
            Isa.Vector512 => new Prepared<TWork, Lane16>(Workers, count, work, shares, check),
            Isa.Vector256 => new Prepared<TWork, Lane8>(Workers, count, work, shares, check),
            Isa.Vector128 => new Prepared<TWork, Lane4>(Workers, count, work, shares, check),
            _ => new Prepared<TWork, Lane1>(Workers, count, work, shares, check),
        };
    }

    /// <summary>Runs items that need no lane.</summary>
    public void Run<TWork>(ref TWork work, long count, bool parallel)
        where TWork : struct, IWork
    {
        if (parallel)
        {
            Workers.Run(count, ref work);
            return;
        }

        Workers.RunAlone(count, ref work);
    }

    public void Dispose()
    {
        Workers.Dispose();
        foreach (NativeBuffer? buffer in _scratch)
        {
            buffer?.Dispose();
        }

        _activations?.Dispose();
    }

    private static unsafe void* Room(ref NativeBuffer? buffer, long bytes)
    {
        if (buffer is null || buffer.Bytes < bytes)
        {
            buffer?.Dispose();
            buffer = new NativeBuffer(Math.Max(bytes, LeastScratch));
        }

        return buffer.Pointer;
    }

    private void Run<TWork, V>(long count, ref TWork work, bool parallel)
        where TWork : struct, ILaneWork
        where V : struct, ICpuLane<V>
    {
        var call = new Call<TWork, V> { Work = work };
        if (parallel)
        {
            Workers.Run(count, ref call);
            return;
        }

        Workers.RunAlone(count, ref call);
    }

    private sealed class Prepared<TWork, V>(Workers workers, long count, TWork work, bool shares, Action? check) : PreparedCall
        where TWork : struct, ILaneWork
        where V : struct, ICpuLane<V>
    {
        public override void Run()
        {
            check?.Invoke();
            // Threads see it by address, which the garbage collector must not change.
            var call = new Call<TWork, V> { Work = work };
            if (shares)
            {
                workers.Run(count, ref call);
                return;
            }

            workers.RunAlone(count, ref call);
        }
    }

    private struct Call<TWork, V> : IWork
        where TWork : struct, ILaneWork
        where V : struct, ICpuLane<V>
    {
        public TWork Work;

        public void Invoke(long item, int worker) => Work.Invoke<V>(item, worker);
    }
}
