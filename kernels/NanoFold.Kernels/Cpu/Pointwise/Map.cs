using System.Runtime.CompilerServices;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Pointwise;

/// <summary>Elementwise formulas of one to three operands and one or two results: one loop for all, the numbers known when it is compiled.</summary>
internal static unsafe class Map
{
    /// <summary>Elements of a work item.</summary>
    public const int ItemElements = 4096;

    /// <summary>Fewer elements than this are done by the calling thread.</summary>
    public const int SmallElements = 16384;

    /// <summary>Elements gathered at a time where an operand's neighbors are apart.</summary>
    private const int BlockElements = 256;

    public static void Run<TOp>(CpuContext context, TOp op, in View a, in View y, bool accumulate)
        where TOp : struct, IPointwise
        => Run(context, op, a, a, a, y, accumulate);

    /// <summary>As the others, with an operand that lies anywhere in host memory.</summary>
    public static void Run<TOp>(CpuContext context, TOp op, void* a, in Layout layoutA, in View y)
        where TOp : struct, IPointwise
    {
        var work = new Work<TOp> { Op = op, Nest = new Nest(y.Layout), A = a, Y = y.Address };
        work.Nest.Add(layoutA, y.Layout);
        Run(context, ref work, y);
    }

    public static void Run<TOp>(CpuContext context, TOp op, in View a, in View b, in View c, in View y, bool accumulate)
        where TOp : struct, IPointwise
        => Run(context, op, a, b, c, y, accumulate, default, false);

    /// <summary>z is the second result, or none.</summary>
    public static void Run<TOp>(CpuContext context, TOp op, in View a, in View b, in View c, in View y, bool accumulateY, in View z, bool accumulateZ)
        where TOp : struct, IPointwise
    {
        var work = new Work<TOp>
        {
            Op = op, Nest = new Nest(y.Layout), A = a.Address, B = b.Address, C = c.Address,
            Y = y.Address, AccumulateY = accumulateY, Z = z.Address, AccumulateZ = accumulateZ,
        };
        work.Nest.Add(a.Layout, y.Layout);
        if (TOp.Operands > 1)
        {
            work.Nest.Add(b.Layout, y.Layout);
        }

        if (TOp.Operands > 2)
        {
            work.Nest.Add(c.Layout, y.Layout);
        }

        if (TOp.IsPair)
        {
            work.Nest.Add(z.Layout, y.Layout);
        }

        Run(context, ref work, y);
    }

    /// <summary>The formula of one operand or two, to be run over and over.</summary>
    public static PreparedCall Prepare<TOp>(CpuContext context, TOp op, in View a, in View b, in View y)
        where TOp : struct, IPointwise
    {
        var work = new Work<TOp> { Op = op, Nest = new Nest(y.Layout), A = a.Address, B = b.Address, Y = y.Address };
        work.Nest.Add(a.Layout, y.Layout);
        if (TOp.Operands > 1)
        {
            work.Nest.Add(b.Layout, y.Layout);
        }

        Lay(ref work);
        return context.Prepare(y.Type, work.Cut.Items, work, y.Count >= SmallElements);
    }

    private static void Run<TOp>(CpuContext context, ref Work<TOp> work, in View y)
        where TOp : struct, IPointwise
    {
        Lay(ref work);
        // Integers are only ever copied, which a float lane does bit by bit.
        context.Run(y.Type, work.Cut.Items, ref work, y.Count >= SmallElements);
    }

    private static void Lay<TOp>(ref Work<TOp> work)
        where TOp : struct, IPointwise
    {
        work.Nest.Collapse();
        work.Cut = new RowCut(work.Nest.Rows, work.Nest.Inner);
    }

    private struct Work<TOp> : ILaneWork
        where TOp : struct, IPointwise
    {
        public TOp Op;
        public Nest Nest;
        public RowCut Cut;
        public void* A;
        public void* B;
        public void* C;
        public void* Y;
        public void* Z;
        public bool AccumulateY;
        public bool AccumulateZ;

        public void Invoke<V>(long item, int worker)
            where V : struct, ICpuLane<V>
        {
            Cut.Item(item, out long firstRow, out long rows, out long start, out long length);
            long sy = Nest.InnerStride(0), sa = Nest.InnerStride(1);
            long sb = TOp.Operands > 1 ? Nest.InnerStride(2) : 0, sc = TOp.Operands > 2 ? Nest.InnerStride(3) : 0;
            long sz = TOp.IsPair ? Nest.InnerStride(4) : 1;
            bool dense = sy == 1 && sz == 1 && (ulong)sa <= 1 && (ulong)sb <= 1 && (ulong)sc <= 1;
            var cursor = new NestCursor(Nest, firstRow);
            for (long row = 0; row < rows; row++, cursor.Next(Nest))
            {
                void* y = At<V>(Y, cursor.Offset(0) + start * sy);
                void* a = At<V>(A, cursor.Offset(1) + start * sa);
                void* b = TOp.Operands > 1 ? At<V>(B, cursor.Offset(2) + start * sb) : null;
                void* c = TOp.Operands > 2 ? At<V>(C, cursor.Offset(3) + start * sc) : null;
                void* z = TOp.IsPair ? At<V>(Z, cursor.Offset(4) + start * sz) : null;
                if (dense)
                {
                    Row<V>(a, sa, b, sb, c, sc, y, z, length);
                }
                else
                {
                    Strided<V>(a, sa, b, sb, c, sc, y, sy, z, sz, length);
                }
            }
        }

        /// <summary>Neighbors apart: blocks are brought together, computed in the same lane, and spread again.</summary>
        [SkipLocalsInit]
        private void Strided<V>(void* a, long sa, void* b, long sb, void* c, long sc, void* y, long sy, void* z, long sz, long length)
            where V : struct, ICpuLane<V>
        {
            double* blocks = stackalloc double[5 * BlockElements];
            double* blockB = blocks + BlockElements, blockC = blockB + BlockElements, blockY = blockC + BlockElements, blockZ = blockY + BlockElements;
            for (long i = 0; i < length; i += BlockElements)
            {
                int n = (int)Math.Min(BlockElements, length - i);
                void* pa = Together<V>(a, i, sa, n, blocks), pb = null, pc = null, pz = null;
                if (TOp.Operands > 1)
                {
                    pb = Together<V>(b, i, sb, n, blockB);
                }

                if (TOp.Operands > 2)
                {
                    pc = Together<V>(c, i, sc, n, blockC);
                }

                if (TOp.IsPair)
                {
                    pz = sz == 1 || AccumulateZ ? Together<V>(z, i, sz, n, blockZ) : blockZ;
                }

                void* py = sy == 1 || AccumulateY ? Together<V>(y, i, sy, n, blockY) : blockY;
                Row<V>(pa, Math.Min(sa, 1), pb, Math.Min(sb, 1), pc, Math.Min(sc, 1), py, pz, n);
                if (sy != 1)
                {
                    Strides.Scatter<V>(py, y, i, sy, n);
                }

                if (TOp.IsPair && sz != 1)
                {
                    Strides.Scatter<V>(pz, z, i, sz, n);
                }
            }
        }

        private static void* Together<V>(void* x, long i, long stride, int n, double* block)
            where V : struct, ICpuLane<V>
        {
            if (stride <= 1)
            {
                return At<V>(x, i * stride);
            }

            Strides.Gather<V>(x, i, stride, n, block);
            return block;
        }

        /// <summary>Operands with stride 1 or 0. A broadcast operand is one lane on the stack, read with step 0.</summary>
        [SkipLocalsInit]
        private readonly void Row<V>(void* a, long sa, void* b, long sb, void* c, long sc, void* y, void* z, long n)
            where V : struct, ICpuLane<V>
        {
            float* lanes = stackalloc float[48];
            nint stepA = Operand<V>(ref a, sa, lanes), stepB = 0, stepC = 0;
            if (TOp.Operands > 1)
            {
                stepB = Operand<V>(ref b, sb, lanes + 16);
            }

            if (TOp.Operands > 2)
            {
                stepC = Operand<V>(ref c, sc, lanes + 32);
            }

            Loop<V>(Op, a, stepA, b, stepB, c, stepC, y, AccumulateY, z, AccumulateZ, (nint)n);
        }

        /// <summary>Apart from <see cref="Row"/>, whose stack memory and operands by reference would keep the pointers out of registers.</summary>
        private static void Loop<V>(
            TOp op, void* a, nint stepA, void* b, nint stepB, void* c, nint stepC, void* y, bool accumulateY, void* z, bool accumulateZ, nint n)
            where V : struct, ICpuLane<V>
        {
            nint ia = 0, ib = 0, ic = 0, i = 0;
            for (; i <= n - V.Width; i += V.Width, ia += stepA, ib += stepB, ic += stepC)
            {
                V first = op.Invoke(V.Load(a, ia), TOp.Operands > 1 ? V.Load(b, ib) : default, TOp.Operands > 2 ? V.Load(c, ic) : default, out V second);
                V.Store(y, i, accumulateY ? V.Load(y, i) + first : first);
                if (TOp.IsPair)
                {
                    V.Store(z, i, accumulateZ ? V.Load(z, i) + second : second);
                }
            }

            int rest = (int)(n - i);
            if (rest > 0)
            {
                V first = op.Invoke(
                    V.LoadPart(a, ia, rest), TOp.Operands > 1 ? V.LoadPart(b, ib, rest) : default, TOp.Operands > 2 ? V.LoadPart(c, ic, rest) : default, out V second);
                V.StorePart(y, i, rest, accumulateY ? V.LoadPart(y, i, rest) + first : first);
                if (TOp.IsPair)
                {
                    V.StorePart(z, i, rest, accumulateZ ? V.LoadPart(z, i, rest) + second : second);
                }
            }
        }

        private static nint Operand<V>(ref void* x, long stride, float* lane)
            where V : struct, ICpuLane<V>
        {
            if (stride != 0)
            {
                return V.Width;
            }

            V.Store(lane, 0, V.Splat(x, 0));
            x = lane;
            return 0;
        }

        private static void* At<V>(void* x, long index)
            where V : struct, ICpuLane<V>
            => (byte*)x + index * V.Type.Size();
    }
}
