using System.Runtime.CompilerServices;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Cpu.Loops;

namespace NanoFold.Kernels.Cpu.Pointwise;

/// <summary>Maps over integers on the CPU: one loop for all, the operation known when it is compiled.</summary>
public sealed unsafe class CpuIntegers(CpuContext context) : IKernel<IntegerMapCall>, IKernel<IntegerRangeCall>, IKernel<IntegerConversionCall>
{
    public void Run(in IntegerMapCall call)
    {
        call.Check();
        switch (call.Operation)
        {
            case IntegerOperation.Add:
                Map<Add>(call);
                break;
            case IntegerOperation.Subtract:
                Map<Subtract>(call);
                break;
            case IntegerOperation.Multiply:
                Map<Multiply>(call);
                break;
            case IntegerOperation.Minimum:
                Map<Minimum>(call);
                break;
            case IntegerOperation.Maximum:
                Map<Maximum>(call);
                break;
            case IntegerOperation.Less:
                Map<Less>(call);
                break;
            case IntegerOperation.Equal:
                Map<Equal>(call);
                break;
            default:
                Map<Choose>(call);
                break;
        }
    }

    public void Run(in IntegerRangeCall call)
    {
        call.Check();
        // A view that moves by 1 along this axis and stands still along the others: an element's offset in it is its index.
        Layout index = Layout.Of(call.Y.Layout[call.Axis]);
        for (int after = call.Axis + 1; after < call.Y.Layout.Rank; after++)
        {
            index = index.SplitLast(index[-1]);
        }

        var work = new RangeWork { Y = call.Y.Ints, Loop = new IntegerLoop(call.Y.Layout, index), Start = call.Start, Step = call.Step };
        context.Run(ref work, work.Loop.Cut.Items, call.Y.Count >= Pointwise.Map.SmallElements);
    }

    public void Run(in IntegerConversionCall call)
    {
        call.Check();
        CpuContext.Require(call.X.Type);
        CpuContext.Require(call.Y.Type);
        var work = new ConversionWork { X = call.X.Address, Y = call.Y.Address, From = call.X.Type, To = call.Y.Type, Loop = new IntegerLoop(call.Y.Layout, call.X.Layout) };
        context.Run(ref work, work.Loop.Cut.Items, call.Y.Count >= Pointwise.Map.SmallElements);
    }

    private void Map<TFormula>(in IntegerMapCall call)
        where TFormula : struct, IIntegerFormula
    {
        var work = new MapWork<TFormula>
        {
            A = call.A.Ints, B = call.B.Ints, C = call.C.Ints, Y = call.Y.Ints, Number = call.Number,
            Loop = new IntegerLoop(call.Y.Layout, call.A.Layout, call.B.IsNone ? call.A.Layout : call.B.Layout, call.C.IsNone ? call.A.Layout : call.C.Layout),
        };
        context.Run(ref work, work.Loop.Cut.Items, call.Y.Count >= Pointwise.Map.SmallElements);
    }

    private interface IIntegerFormula
    {
        static abstract int Of(int a, int b, int c);
    }

    /// <summary>A loop over the elements of y and of what is broadcast to it, cut by shape.</summary>
    private readonly struct IntegerLoop
    {
        public readonly Nest Nest;
        public readonly RowCut Cut;

        public IntegerLoop(in Layout y, params ReadOnlySpan<Layout> operands)
        {
            Nest = new Nest(y);
            foreach (Layout operand in operands)
            {
                Nest.Add(operand, y);
            }

            Nest.Collapse();
            Cut = new RowCut(Nest.Rows, Nest.Inner);
        }
    }

    private struct MapWork<TFormula> : IWork
        where TFormula : struct, IIntegerFormula
    {
        public IntegerLoop Loop;
        public int* A, B, C, Y;
        public int Number;

        public readonly void Invoke(long item, int worker)
        {
            Loop.Cut.Item(item, out long firstRow, out long rows, out long start, out long length);
            var cursor = new NestCursor(Loop.Nest, firstRow);
            for (long row = 0; row < rows; row++, cursor.Next(Loop.Nest))
            {
                for (long i = start; i < start + length; i++)
                {
                    int b = B is null ? Number : B[cursor.Offset(2) + i * Loop.Nest.InnerStride(2)], c = C is null ? Number : C[cursor.Offset(3) + i * Loop.Nest.InnerStride(3)];
                    Y[cursor.Offset(0) + i * Loop.Nest.InnerStride(0)] = TFormula.Of(A[cursor.Offset(1) + i * Loop.Nest.InnerStride(1)], b, c);
                }
            }
        }
    }

    private struct RangeWork : IWork
    {
        public IntegerLoop Loop;
        public int* Y;
        public int Start, Step;

        public readonly void Invoke(long item, int worker)
        {
            Loop.Cut.Item(item, out long firstRow, out long rows, out long start, out long length);
            var cursor = new NestCursor(Loop.Nest, firstRow);
            for (long row = 0; row < rows; row++, cursor.Next(Loop.Nest))
            {
                for (long i = start; i < start + length; i++)
                {
                    Y[cursor.Offset(0) + i * Loop.Nest.InnerStride(0)] = Start + Step * (int)(cursor.Offset(1) + i * Loop.Nest.InnerStride(1));
                }
            }
        }
    }

    private struct ConversionWork : IWork
    {
        public IntegerLoop Loop;
        public void* X, Y;
        public DType From, To;

        public readonly void Invoke(long item, int worker)
        {
            Loop.Cut.Item(item, out long firstRow, out long rows, out long start, out long length);
            var cursor = new NestCursor(Loop.Nest, firstRow);
            for (long row = 0; row < rows; row++, cursor.Next(Loop.Nest))
            {
                for (long i = start; i < start + length; i++)
                {
                    Write(cursor.Offset(0) + i * Loop.Nest.InnerStride(0), cursor.Offset(1) + i * Loop.Nest.InnerStride(1));
                }
            }
        }

        private readonly void Write(long y, long x)
        {
            switch (To)
            {
                case DType.Float32:
                    ((float*)Y)[y] = ((int*)X)[x];
                    break;
                case DType.Float64:
                    ((double*)Y)[y] = ((int*)X)[x];
                    break;
                default:
                    ((int*)Y)[y] = From == DType.Float64 ? (int)((double*)X)[x] : (int)((float*)X)[x];
                    break;
            }
        }
    }

    private readonly struct Add : IIntegerFormula
    {
        public static int Of(int a, int b, int c) => a + b;
    }

    private readonly struct Subtract : IIntegerFormula
    {
        public static int Of(int a, int b, int c) => a - b;
    }

    private readonly struct Multiply : IIntegerFormula
    {
        public static int Of(int a, int b, int c) => a * b;
    }

    private readonly struct Minimum : IIntegerFormula
    {
        public static int Of(int a, int b, int c) => Math.Min(a, b);
    }

    private readonly struct Maximum : IIntegerFormula
    {
        public static int Of(int a, int b, int c) => Math.Max(a, b);
    }

    private readonly struct Less : IIntegerFormula
    {
        public static int Of(int a, int b, int c) => a < b ? 1 : 0;
    }

    private readonly struct Equal : IIntegerFormula
    {
        public static int Of(int a, int b, int c) => a == b ? 1 : 0;
    }

    private readonly struct Choose : IIntegerFormula
    {
        public static int Of(int a, int b, int c) => a != 0 ? b : c;
    }
}
