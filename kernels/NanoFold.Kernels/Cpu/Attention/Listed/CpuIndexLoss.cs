using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Cpu.Attention.Full;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Listed;

/// <summary>What teaches an indexer, on the CPU. The same bits for any number of threads.</summary>
public sealed unsafe class CpuIndexLoss(CpuContext context) : IKernel<IndexLossCall>, IKernel<IndexLossBackwardCall>, IDisposable
{
    private readonly CallMemory _reach = new(), _losses = new();

    /// <exception cref="ArgumentException">A shape, stride, type or visibility does not fit, or the scratch is too small.</exception>
    public void Run(in IndexLossCall call)
    {
        call.Check();
        long microBatches = call.State.GetInteger(StepSlot.MicroBatchCount);
        if (microBatches < 1)
        {
            throw new InvalidOperationException($"{IndexLossCall.Name}: {nameof(StepSlot.MicroBatchCount)} is {microBatches}; set it to the number of micro-batches of the step");
        }

        RowCheck.Scratch(IndexLossCall.Name, call.Scratch, ScratchBytes(call));
        double share = call.Factor / ((double)call.Q.Layout[0] * call.Q.Layout[1] * microBatches);
        var problem = new IndexLossProblem(call, share * call.State.GetDouble(StepSlot.LossScale), _reach, _losses);
        var work = new IndexLossWork(context, problem);
        context.Run(call.Q.Type, work.Items, ref work);
        var sums = new IndexLossSumWork(problem);
        context.Run(call.Q.Type, sums.Items, ref sums);
        double loss = 0;
        for (long i = 0; i < work.Items; i++)
        {
            loss += problem.Losses[i];
        }

        Element.Set(call.Loss, loss * share);
        call.State.Increase(call.Term, loss * share);
    }

    public void Run(in IndexLossBackwardCall call)
    {
        call.Check();
        var work = new ScaleWork(call.X, call.DX, Element.Get(call.DLoss), call.Accumulate);
        context.Run(call.X.Type, work.Items, ref work);
    }

    public long ScratchBytes(in IndexLossCall shape) => IndexLossProblem.ScratchBytes(shape);

    public void Dispose()
    {
        _reach.Dispose();
        _losses.Dispose();
    }

    private readonly struct ScaleWork(View x, View y, double factor, bool accumulate) : ILaneWork
    {
        private const int Each = 1 << 12;

        private readonly void* _x = x.Address, _y = y.Address;
        private readonly long _count = x.Count;

        public long Items => (_count + Each - 1) / Each;

        public void Invoke<V>(long item, int worker)
            where V : struct, ICpuLane<V>
        {
            V scale = V.Constant(factor);
            nint i = (nint)(item * Each), end = (nint)Math.Min(_count, (item + 1) * Each);
            for (; i < end; i += V.Width)
            {
                int part = (int)Math.Min(V.Width, end - i);
                V value = V.LoadPart(_x, i, part) * scale;
                V.StorePart(_y, i, part, accumulate ? V.LoadPart(_y, i, part) + value : value);
            }
        }
    }
}

/// <summary>A checked loss of an indexer, as plain sizes and addresses.</summary>
internal readonly unsafe struct IndexLossProblem
{
    private const int MostParts = 16;
    private const int LeastRows = 64;

    /// <summary>Rows of sums are padded to the widest lane, so that scratch does not depend on the path.</summary>
    private const int RowUnit = 16;

    public readonly int Batch, Time, Heads, KeyHeads, Depth, IndexHeads, IndexDepth, Parts, PartRows, SumRow, Most;
    public readonly double Scale, IndexScale, GradientFactor;
    public readonly HeadRows Q, K, IndexQ, IndexK, DIndexQ, DIndexK;
    public readonly double* Losses;
    private readonly QueryLists _lists;
    private readonly SeenKeys _seen;
    private readonly bool _hasLists;
    private readonly void* _weights, _dWeights, _sums;
    private readonly nint _weightBatch, _weightTime, _weightHead;

    public IndexLossProblem(in IndexLossCall call, double gradientFactor, CallMemory reach, CallMemory losses)
    {
        (Batch, Time, Heads, Depth) = (call.Q.Layout[0], call.Q.Layout[1], call.Q.Layout[2], call.Q.Layout[3]);
        (KeyHeads, IndexHeads, IndexDepth) = (call.K.Layout[2], call.IndexQ.Layout[2], call.IndexQ.Layout[3]);
        (Parts, PartRows) = Cut(call);
        SumRow = BlockSizes.Count(IndexDepth, RowUnit) * RowUnit;
        (Scale, IndexScale, GradientFactor) = (call.Scale, call.IndexScale, gradientFactor);
        Q = new HeadRows(call.Q);
        K = new HeadRows(call.K);
        IndexQ = new HeadRows(call.IndexQ);
        IndexK = new HeadRows(call.IndexK);
        DIndexQ = new HeadRows(call.DIndexQ);
        DIndexK = new HeadRows(call.DIndexK);
        _weights = call.Weights.Address;
        (_weightBatch, _weightTime, _weightHead) = ((nint)call.Weights.Layout.Stride(0), (nint)call.Weights.Layout.Stride(1), (nint)call.Weights.Layout.Stride(2));
        _dWeights = call.DWeights.Address;
        _sums = call.Scratch.Address;
        Losses = (double*)losses.Take((long)Batch * Parts * sizeof(double));
        _seen = new SeenKeys(IndexLossCall.Name, call.Visible, Batch, Time, Time, default, default, reach);
        _hasLists = !call.Kept.Lists.IsNone;
        _lists = _hasLists ? new QueryLists(call.Kept, Heads, Time, Time, _seen) : default;
        Most = _hasLists ? _lists.Most : Time;
    }

    public static long ScratchBytes(in IndexLossCall call) =>
        (long)call.Q.Layout[0] * Cut(call).Parts * call.Q.Layout[1] * BlockSizes.Count(call.IndexQ.Layout[3], RowUnit) * RowUnit * call.Q.Type.Size();

    /// <summary>Sums over the queries of a part of the gradient of the index keys, [T, <see cref="SumRow"/>].</summary>
    public void* Sums<V>(int batch, int part)
        where V : struct, ICpuLane<V>
        => Element.At<V>(_sums, ((((nint)batch * Parts) + part) * Time) * SumRow);

    public double Weight<V>(int batch, int query, int head)
        where V : struct, ICpuLane<V>
        => Element.Get<V>(_weights, (batch * _weightBatch) + (query * _weightTime) + (head * _weightHead));

    /// <summary>The gradients of a query's weights.</summary>
    public void* DWeights<V>(int batch, int query)
        where V : struct, ICpuLane<V>
        => Element.At<V>(_dWeights, (((nint)batch * Time) + query) * IndexHeads);

    /// <summary>The keys that count for a query, ascending; <paramref name="room"/> holds <see cref="Most"/>.</summary>
    public int* Keys(int batch, int query, int* room, out int count)
    {
        if (_hasLists)
        {
            return _lists.Of(batch, 0, query, room, out count);
        }

        (int sinkEnd, int start, int end) = _seen.Row(batch, query);
        int* documents = _seen.Documents(batch);
        count = 0;
        for (int j = 0; j < end; j++)
        {
            room[count] = j;
            count += (j < sinkEnd || j >= start) && (documents is null || documents[j] == documents[_seen.Position(batch, query)]) ? 1 : 0;
        }

        return room;
    }

    private static (int Parts, int Rows) Cut(in IndexLossCall call)
    {
        int time = call.Q.Layout[1], parts = Math.Clamp(Math.Min(BlockSizes.Count(2 * MostParts, call.Q.Layout[0]), time / LeastRows), 1, MostParts);
        int rows = BlockSizes.Count(time, parts);
        return (BlockSizes.Count(time, rows), rows);
    }
}
