using System.Runtime.CompilerServices;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Cpu.Pointwise;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Rows;

/// <summary>The largest elements of rows.</summary>
internal static unsafe class Select
{
    public static void TopK(CpuContext context, in View x, in View values, in View indices)
    {
        var work = new Work { X = new ViewRows(x), Values = new ViewRows(values), Indices = new ViewRows(indices) };
        work.Cut = new RowCut(work.X.Count, 1, Math.Max(1, Map.ItemElements / work.X.Length));
        work.Context = context;
        context.Run(x.Type, work.Cut.Items, ref work, x.Count >= Map.SmallElements / 4);
    }

    private struct Work : ILaneWork
    {
        public ViewRows X;
        public ViewRows Values;
        public ViewRows Indices;
        public RowCut Cut;
        public CpuContext Context;

        public void Invoke<V>(long item, int worker)
            where V : struct, ICpuLane<V>
        {
            Cut.Item(item, out long firstRow, out long rows, out _, out _);
            int k = Values.Length;
            double* best = (double*)Context.Scratch(worker, k * 12L);
            int* at = (int*)(best + k);
            for (long row = firstRow; row < firstRow + rows; row++)
            {
                Keep<V>(X[row], best, at, k);
                if (V.Type == DType.Float64)
                {
                    Write((double*)Values[row], (int*)Indices[row], best, at, k);
                }
                else
                {
                    Write((float*)Values[row], (int*)Indices[row], best, at, k);
                }
            }
        }

        private readonly void Keep<V>(void* x, double* best, int* at, int k)
            where V : struct, ICpuLane<V>
        {
            int kept = 0, block = 4 * V.Width;
            for (int j = 0; j < X.Length;)
            {
                // Most blocks have nothing larger than the least one kept: four lanes are looked at together.
                if (kept == k && X.Stride == 1 && j + block <= X.Length)
                {
                    V least = V.Constant(best[k - 1]);
                    V largest = V.Max(V.Max(V.Load(x, j), V.Max(V.Load(x, j + V.Width), least)), V.Max(V.Load(x, j + 2 * V.Width), V.Max(V.Load(x, j + 3 * V.Width), least)));
                    if (!(V.Largest(largest) > best[k - 1]))
                    {
                        j += block;
                        continue;
                    }
                }

                int end = Math.Min(X.Length, j + block);
                for (; j < end; j++)
                {
                    double value = V.Type == DType.Float64 ? ((double*)x)[j * X.Stride] : ((float*)x)[j * X.Stride];
                    if (kept < k || value > best[k - 1])
                    {
                        Insert(value, j, best, at, ref kept, k);
                    }
                }
            }
        }

        private static void Insert(double value, int index, double* best, int* at, ref int kept, int k)
        {
            // Not-a-number sorts after all others.
            double key = double.IsNaN(value) ? double.NegativeInfinity : value;
            int slot = kept < k ? kept++ : k - 1;
            for (; slot > 0 && best[slot - 1] < key; slot--)
            {
                best[slot] = best[slot - 1];
                at[slot] = at[slot - 1];
            }

            best[slot] = key;
            at[slot] = index;
        }

        private readonly void Write<T>(T* values, int* indices, double* best, int* at, int k)
            where T : unmanaged
        {
            for (int j = 0; j < k; j++)
            {
                indices[j * Indices.Stride] = at[j];
                if (Unsafe.SizeOf<T>() == 8)
                {
                    ((double*)values)[j * Values.Stride] = best[j];
                }
                else
                {
                    ((float*)values)[j * Values.Stride] = (float)best[j];
                }
            }
        }
    }
}
