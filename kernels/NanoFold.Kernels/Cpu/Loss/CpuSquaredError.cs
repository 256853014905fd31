using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Loss;

/// <summary>Squared errors on the CPU, in double; the losses of all rows are added in their order.</summary>
public sealed unsafe class CpuSquaredError(CpuContext context) : IKernel<SquaredErrorCall>, IKernel<SquaredErrorBackwardCall>
{
    public void Run(in SquaredErrorCall call)
    {
        call.Check();
        Run(new Work { Y = new RowSpace(call.Y), Targets = new RowSpace(call.Targets), Marks = call.Marks.Ints, Losses = call.Losses.Address }, call.Y);
        CpuCrossEntropy.AddLoss(SquaredErrorCall.Name, call.State, call.Marks, call.Losses, call.Loss);
    }

    public void Run(in SquaredErrorBackwardCall call)
    {
        call.Check();
        Run(
            new Work
            {
                Y = new RowSpace(call.Y),
                Targets = new RowSpace(call.Targets),
                Marks = call.Marks.Ints,
                DY = new RowSpace(call.DY),
                Scale = 2 * CpuCrossEntropy.Scale(SquaredErrorBackwardCall.Name, call.State, call.Marks, call.DLoss) / call.Y.Layout[1],
                Accumulate = call.Accumulate,
            },
            call.Y);
    }

    private void Run(Work work, in View y)
    {
        (work.Rows, work.Width, work.RowsPerItem) = (y.Layout[0], y.Layout[1], RowBlocks.RowsPerItem(y.Layout[1]));
        context.Run(y.Type, RowBlocks.Items(work.Rows, work.RowsPerItem), ref work);
    }

    /// <summary>Errors of rows, or where there is no place for them, gradients.</summary>
    private struct Work : ILaneWork
    {
        public RowSpace Y, Targets, DY;
        public int* Marks;
        public void* Losses;
        public long Rows;
        public int Width, RowsPerItem;
        public double Scale;
        public bool Accumulate;

        public readonly void Invoke<V>(long item, int worker)
            where V : struct, ICpuLane<V>
        {
            long end = Math.Min((item + 1) * RowsPerItem, Rows);
            for (long row = item * RowsPerItem; row < end; row++)
            {
                if (Losses != null)
                {
                    Element.Set<V>(Losses, row, Marks[row] == -1 ? 0 : Error<V>(Y.Row(row), Targets.Row(row)));
                }
                else
                {
                    Gradient<V>(Y.Row(row), Targets.Row(row), DY.Row(row), Marks[row] == -1 ? 0 : Scale);
                }
            }
        }

        private readonly double Error<V>(void* y, void* target)
            where V : struct, ICpuLane<V>
        {
            double sum = 0;
            for (int o = 0; o < Width; o++)
            {
                double difference = Element.Get<V>(y, o) - Element.Get<V>(target, o);
                sum += difference * difference;
            }

            return sum / Width;
        }

        private readonly void Gradient<V>(void* y, void* target, void* dY, double scale)
            where V : struct, ICpuLane<V>
        {
            for (int o = 0; o < Width; o++)
            {
                // What stands at a place without a target is no number to multiply by.
                double value = scale == 0 ? 0 : scale * (Element.Get<V>(y, o) - Element.Get<V>(target, o));
                Element.Set<V>(dY, o, Accumulate ? Element.Get<V>(dY, o) + value : value);
            }
        }
    }
}
