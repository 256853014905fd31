using System.Runtime.CompilerServices;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;
using NanoFold.Kernels.Profiling;

namespace Outside;

/// <summary>y = x − mean(x) over the last dimension; the gradient is the same of dy.</summary>
/// <param name="X">[.., D], contiguous.</param>
/// <param name="Y">Same shape.</param>
/// <param name="Accumulate">Whether y is added to.</param>
public readonly record struct CenterCall(View X, View Y, bool Accumulate) : IKernelCall<CenterCall>
{
    public static string Name => "center";

    public static bool HasComposedPath => true;

    public KernelCost Cost => new(2.0 * X.Count, Operands.Bytes(this));

    public void Check()
    {
        RowCheck.Vector(Name, "x", X, X.Type, X.Count);
        RowCheck.Output(Name, "y", Y, X);
        RowCheck.Vector(Name, "y", Y, X.Type, X.Count);
    }

    public CenterCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with { X = visitor.Visit("x", X, Access.Read), Y = visitor.Visit("y", Y, Operands.Result(Accumulate)) };
}

/// <summary>Rows without their mean, on the CPU: written once for all instruction sets and types.</summary>
public sealed unsafe class CpuCenter(CpuContext context) : IKernel<CenterCall>
{
    public void Run(in CenterCall call)
    {
        call.Check();
        int width = call.X.Layout[-1], rowsPerItem = RowBlocks.RowsPerItem(width);
        long rows = call.X.Layout.Rows;
        var work = new Work
        {
            X = (byte*)call.X.Address, Y = (byte*)call.Y.Address, Rows = rows, RowsPerItem = rowsPerItem, Width = width, Accumulate = call.Accumulate,
        };
        context.Run(call.X.Type, RowBlocks.Items(rows, rowsPerItem), ref work);
    }

    private struct Work : ILaneWork
    {
        public byte* X;
        public byte* Y;
        public long Rows;
        public int RowsPerItem;
        public int Width;
        public bool Accumulate;

        public readonly void Invoke<V>(long item, int worker)
            where V : struct, ICpuLane<V>
        {
            long end = Math.Min((item + 1) * RowsPerItem, Rows);
            for (long row = item * RowsPerItem; row < end; row++)
            {
                void* x = X + (row * Width * V.Type.Size()), y = Y + (row * Width * V.Type.Size());
                V mean = V.Constant(LaneSum.Of<LaneSum.Plain, V>(x, null, null, default, Width) / Width);
                nint i = 0;
                for (; i <= Width - V.Width; i += V.Width)
                {
                    Element<V, Whole<V>>(x, y, mean, i, 0);
                }

                if (i < Width)
                {
                    Element<V, Part<V>>(x, y, mean, i, (int)(Width - i));
                }
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private readonly void Element<V, P>(void* x, void* y, V mean, nint i, int count)
            where V : struct, ICpuLane<V>
            where P : struct, IPiece<V>
        {
            V value = P.Load(x, i, count) - mean;
            P.Store(y, i, count, Accumulate ? P.Load(y, i, count) + value : value);
        }
    }
}
