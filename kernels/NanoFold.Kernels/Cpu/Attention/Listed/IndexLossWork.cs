using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Cpu.Attention.Blocks;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Listed;

/// <summary>
/// The loss of an indexer with its gradients; an item is a batch row and a part of the queries, and owns sums of the gradient of the index keys. Of a query the
/// weights p and the index scores of its keys lie side by side.
/// </summary>
internal readonly unsafe struct IndexLossWork(CpuContext context, IndexLossProblem problem) : ILaneWork
{
    public long Items => (long)problem.Batch * problem.Parts;

    public void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        int batch = (int)(item % problem.Batch), part = problem.Parts - 1 - (int)(item / problem.Batch);
        var lane = LaneSize.Of<V>();
        var scratch = new Scratch(context.Scratch(worker, new Scratch(null, problem, lane).Bytes), problem, lane);
        void* sums = problem.Sums<V>(batch, part);
        HeadRow.Zero<V>(sums, problem.Time * (nint)problem.SumRow);
        double loss = 0;
        for (int t = part * problem.PartRows; t < Math.Min((part + 1) * problem.PartRows, problem.Time); t++)
        {
            loss += Row<V>(scratch, sums, batch, t);
        }

        problem.Losses[((long)batch * problem.Parts) + part] = loss;
    }

    private double Row<V>(in Scratch scratch, void* sums, int batch, int time)
        where V : struct, ICpuLane<V>
    {
        int* keys = problem.Keys(batch, time, scratch.Room, out int count);
        int padded = LaneSize.Of<V>().Padded(count), heads = problem.IndexHeads, depth = problem.IndexDepth;
        void* indexKeys = problem.IndexK.Row<V>(batch, 0, 0);
        nint indexRow = problem.IndexK.Time;
        Attention<V>(scratch, batch, time, keys, count);
        V zero = default, largest = V.Constant(double.NegativeInfinity);
        for (int h = 0; h < heads; h++)
        {
            void* products = Element.At<V>(scratch.Products, h * scratch.Row);
            ListedRows.Dots<V>(problem.IndexQ.Row<V>(batch, time, h), indexKeys, indexRow, keys, count, depth, products);
            V weight = V.Constant(problem.Weight<V>(batch, time, h)), scale = V.Constant(problem.IndexScale);
            for (nint i = 0; i < count; i += V.Width)
            {
                // Not V.Max: what is not a number must stay that.
                V x = V.Load(products, i) * scale;
                x = V.SelectGreater(zero, x, zero, x);
                V.Store(products, i, x);
                V.Store(scratch.Scores, i, h == 0 ? weight * x : V.MultiplyAdd(weight, x, V.Load(scratch.Scores, i)));
            }
        }

        Element.Fill<V>(Element.At<V>(scratch.Scores, count), padded - count, double.NegativeInfinity);
        for (nint i = 0; i < padded; i += V.Width)
        {
            largest = V.Max(largest, V.Load(scratch.Scores, i));
        }

        double maximum = count > 0 ? V.Largest(largest) : 0, sum = 0, divergence = 0;
        for (int i = 0; i < count; i++)
        {
            sum += PortableMath.Exp(Element.Get<V>(scratch.Scores, i) - maximum);
        }

        double logSum = maximum + PortableMath.Log(sum);
        for (int i = 0; i < count; i++)
        {
            double p = Element.Get<V>(scratch.Weights, i), log = Element.Get<V>(scratch.Scores, i) - logSum;
            divergence += p > 0 ? p * (PortableMath.Log(p) - log) : p;
            Element.Set<V>(scratch.Gradients, i, (PortableMath.Exp(log) - p) * problem.GradientFactor);
        }

        IndexGradients<V>(scratch, sums, batch, time, keys, count);
        return divergence;
    }

    // The weights of attention, averaged over the heads.
    private void Attention<V>(in Scratch scratch, int batch, int time, int* keys, int count)
        where V : struct, ICpuLane<V>
    {
        int padded = LaneSize.Of<V>().Padded(count);
        HeadRow.Zero<V>(scratch.Weights, padded);
        V toBits = V.Constant(problem.Scale * SoftmaxPower.BitsPerNat);
        for (int h = 0; h < problem.Heads && count > 0; h++)
        {
            int keyHead = h / (problem.Heads / problem.KeyHeads);
            ListedRows.Dots<V>(problem.Q.Row<V>(batch, time, h), problem.K.Row<V>(batch, 0, keyHead), problem.K.Time, keys, count, problem.Depth, scratch.Scores);
            Element.Fill<V>(Element.At<V>(scratch.Scores, count), padded - count, Element.Get<V>(scratch.Scores, 0));
            V largest = V.Constant(double.NegativeInfinity), sum = default;
            for (nint i = 0; i < padded; i += V.Width)
            {
                V x = V.Load(scratch.Scores, i) * toBits;
                V.Store(scratch.Scores, i, x);
                largest = V.Max(largest, x);
            }

            Element.Fill<V>(Element.At<V>(scratch.Scores, count), padded - count, double.NegativeInfinity);
            V top = V.Constant(V.Largest(largest));
            for (nint i = 0; i < padded; i += V.Width)
            {
                V x = SoftmaxPower.Of(V.Load(scratch.Scores, i) - top);
                V.Store(scratch.Scores, i, x);
                sum += x;
            }

            V share = V.Constant(1 / (V.Sum(sum) * problem.Heads));
            for (nint i = 0; i < padded; i += V.Width)
            {
                V.Store(scratch.Weights, i, V.MultiplyAdd(V.Load(scratch.Scores, i), share, V.Load(scratch.Weights, i)));
            }
        }
    }

    // Scores' gradients d go to the weights, w_h += d · ReLU, and where the product was above 0 to its queries and keys.
    private void IndexGradients<V>(in Scratch scratch, void* sums, int batch, int time, int* keys, int count)
        where V : struct, ICpuLane<V>
    {
        V zero = default;
        for (int h = 0; h < problem.IndexHeads; h++)
        {
            void* products = Element.At<V>(scratch.Products, h * scratch.Row), q = problem.IndexQ.Row<V>(batch, time, h);
            V scale = V.Constant(problem.Weight<V>(batch, time, h) * problem.IndexScale);
            double weight = 0;
            for (int i = 0; i < count; i++)
            {
                weight += Element.Get<V>(scratch.Gradients, i) * Element.Get<V>(products, i);
            }

            for (nint i = 0; i < count; i += V.Width)
            {
                V.Store(products, i, V.SelectGreater(V.Load(products, i), zero, V.Load(scratch.Gradients, i) * scale, zero));
            }

            Element.Set<V>(problem.DWeights<V>(batch, time), h, weight);
            HeadRow.Zero<V>(scratch.Sum, LaneSize.Of<V>().Padded(problem.IndexDepth));
            ListedRows.AddWeighted<V>(products, problem.IndexK.Row<V>(batch, 0, 0), problem.IndexK.Time, keys, count, scratch.Sum, problem.IndexDepth);
            HeadRow.Write(scratch.Sum, problem.DIndexQ.Row<V>(batch, time, h), problem.IndexDepth, V.Constant(1));
            ListedRows.Spread<V>(products, q, keys, count, sums, problem.SumRow, problem.IndexDepth);
        }
    }

    private readonly struct Scratch
    {
        public Scratch(void* memory, in IndexLossProblem problem, LaneSize lane)
        {
            var cursor = new ScratchCursor(memory);
            Row = lane.Padded(problem.Most);
            Room = (int*)cursor.Take((long)problem.Most * sizeof(int));
            Weights = cursor.Take(Row * lane.Bytes);
            Scores = cursor.Take(Row * lane.Bytes);
            Gradients = cursor.Take(Row * lane.Bytes);
            Products = cursor.Take(Row * problem.IndexHeads * lane.Bytes);
            Sum = cursor.Take((long)lane.Padded(problem.IndexDepth) * lane.Bytes);
            Bytes = cursor.Used;
        }

        public nint Row { get; }

        public int* Room { get; }

        /// <summary>p of each key.</summary>
        public void* Weights { get; }

        public void* Scores { get; }

        public void* Gradients { get; }

        /// <summary>Scaled products of each index head, without those below 0.</summary>
        public void* Products { get; }

        public void* Sum { get; }

        public long Bytes { get; }
    }
}

/// <summary>Adds the parts of the index keys' gradient in their order.</summary>
internal readonly unsafe struct IndexLossSumWork(IndexLossProblem problem) : ILaneWork
{
    private const int BlockKeys = 128;

    public long Items => (long)problem.Batch * BlockSizes.Count(problem.Time, BlockKeys);

    public void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        int batch = (int)(item % problem.Batch), first = (int)(item / problem.Batch) * BlockKeys, end = Math.Min(first + BlockKeys, problem.Time);
        for (int j = first; j < end; j++)
        {
            void* sum = Element.At<V>(problem.Sums<V>(batch, 0), (nint)j * problem.SumRow);
            for (int part = 1; part < problem.Parts; part++)
            {
                void* other = Element.At<V>(problem.Sums<V>(batch, part), (nint)j * problem.SumRow);
                for (nint e = 0; e < problem.SumRow; e += V.Width)
                {
                    V.Store(sum, e, V.Load(sum, e) + V.Load(other, e));
                }
            }

            HeadRow.Write(sum, problem.DIndexK.Row<V>(batch, j, 0), problem.IndexDepth, V.Constant(1));
        }
    }
}
