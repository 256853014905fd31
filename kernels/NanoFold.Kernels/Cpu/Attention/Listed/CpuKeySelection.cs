using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Kernels.Cpu.Attention.Listed;

/// <summary>Choice of keys by score on the CPU: 2·D FLOPs for every visible pair, and a search for a threshold in each row. The same bits for any number of threads.</summary>
public sealed class CpuKeySelection(CpuContext context) : IKernel<SelectKeysCall>, IDisposable
{
    private readonly CallMemory _memory = new();

    /// <exception cref="ArgumentException">A shape, stride, type or visibility does not fit, or a row's positions do not fit the cache.</exception>
    public void Run(in SelectKeysCall call)
    {
        call.Check();
        if (call.Q.Type is not (DType.Float32 or DType.Float64))
        {
            Checks.Throw(SelectKeysCall.Name, $"q must be Float32 or Float64, got {call.Q}");
        }

        var work = new SelectWork(context, new SelectProblem(call, _memory));
        context.Run(call.Q.Type, work.Items, ref work);
    }

    public void Dispose() => _memory.Dispose();
}

/// <summary>A checked choice of keys, as plain sizes and addresses.</summary>
internal readonly unsafe struct SelectProblem
{
    public readonly int Batch, Time, Heads, KeyHeads, Depth, Keys, Most, Floor, KeySize;
    public readonly double Scale, Mass;
    public readonly HeadRows Q, K;
    public readonly SeenKeys Seen;
    private readonly int* _kept;
    private readonly void* _weights;
    private readonly nint _weightBatch, _weightTime, _weightHead;

    public SelectProblem(in SelectKeysCall call, CallMemory memory)
    {
        (Batch, Time, Heads, Depth) = (call.Q.Layout[0], call.Q.Layout[1], call.Q.Layout[2], call.Q.Layout[3]);
        (Keys, KeyHeads, Most) = (call.K.Layout[1], call.K.Layout[2], call.Kept.Layout[3]);
        (Floor, KeySize, Scale, Mass) = (call.Floor, call.KeySize, call.Scale, call.Mass);
        Q = new HeadRows(call.Q);
        K = new HeadRows(call.K);
        _kept = call.Kept.Ints;
        _weights = call.Weights.Address;
        if (_weights is not null)
        {
            (_weightBatch, _weightTime, _weightHead) = ((nint)call.Weights.Layout.Stride(0), (nint)call.Weights.Layout.Stride(1), (nint)call.Weights.Layout.Stride(2));
        }

        Seen = new SeenKeys(SelectKeysCall.Name, call.Visible, Batch, Time, Keys, call.Positions, call.Counts, memory);
    }

    /// <summary>Whether heads are weighted and share a list.</summary>
    public bool IsWeighted => _weights is not null;

    /// <summary>Lists of a query.</summary>
    public int Lists => IsWeighted ? 1 : Heads;

    public int* Kept(int batch, int list, int query) => _kept + ((((((long)batch * Lists) + list) * Time) + query) * Most);

    public double Weight<V>(int batch, int query, int head)
        where V : struct, Lanes.ICpuLane<V>
        => Loops.Element.Get<V>(_weights, (batch * _weightBatch) + (query * _weightTime) + (head * _weightHead));
}
