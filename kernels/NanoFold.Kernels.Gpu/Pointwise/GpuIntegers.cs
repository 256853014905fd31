using ILGPU;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Pointwise;

/// <summary>Maps over integers on a GPU, an element a thread.</summary>
internal sealed class GpuIntegers(GpuContext context) : IKernel<IntegerMapCall>, IKernel<IntegerRangeCall>, IKernel<IntegerConversionCall>
{
    public void Run(in IntegerMapCall call)
    {
        call.Check();
        Shape shape = Shape.Of(call.Y.Layout, call.A.Layout, call.B.IsNone ? call.A.Layout : call.B.Layout, call.C.IsNone ? call.A.Layout : call.C.Layout);
        context.LaunchThreads(
            new IntegerMapWork
            {
                A = context.View<int>(call.A), B = context.View<int>(call.B), C = context.View<int>(call.C), Y = context.View<int>(call.Y), Shape = shape,
                Operation = (int)call.Operation, Number = call.Number, HasB = call.B.IsNone ? 0 : 1, HasC = call.C.IsNone ? 0 : 1,
            },
            shape.Count);
    }

    public void Run(in IntegerRangeCall call)
    {
        call.Check();
        int inner = 1;
        for (int after = call.Axis + 1; after < call.Y.Layout.Rank; after++)
        {
            inner *= call.Y.Layout[after];
        }

        context.LaunchThreads(
            new IntegerRangeWork
            {
                Y = context.View<int>(call.Y), Shape = Shape.Of(call.Y.Layout), Inner = inner, Length = call.Y.Layout[call.Axis], Start = call.Start, Step = call.Step,
            },
            call.Y.Count);
    }

    public void Run(in IntegerConversionCall call)
    {
        call.Check();
        ByElement.Run(IntegerConversionCall.Name, call.X.Type.IsReal() ? call.X : call.Y, new Conversion(context, call));
    }

    private readonly struct Conversion(GpuContext context, IntegerConversionCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
        {
            Shape shape = Shape.Of(call.Y.Layout, call.X.Layout);
            bool toReal = call.Y.Type.IsReal();
            context.LaunchThreads(
                new IntegerConversionWork<T>
                {
                    Real = context.View<T>(toReal ? call.Y : call.X), Integer = context.View<int>(toReal ? call.X : call.Y), Shape = shape, ToReal = toReal ? 1 : 0,
                },
                shape.Count);
        }
    }
}

/// <summary>y = operation(a, b, c).</summary>
internal struct IntegerMapWork : IGpuWork<IntegerMapWork>
{
    public ArrayView<int> A, B, C, Y;
    public Shape Shape;
    public int Operation, Number, HasB, HasC;

    public static void Run(IntegerMapWork w)
    {
        int i = Grid.IdxX * Group.DimX + Group.IdxX;
        if (i >= w.Shape.Count)
        {
            return;
        }

        int a = w.A[Shape.At(w.Shape, w.Shape.A, i)], b = w.Number, c = w.Number;
        if (w.HasB != 0)
        {
            b = w.B[Shape.At(w.Shape, w.Shape.B, i)];
        }

        if (w.HasC != 0)
        {
            c = w.C[Shape.At(w.Shape, w.Shape.C, i)];
        }

        w.Y[Shape.At(w.Shape, w.Shape.Y, i)] = Of((IntegerOperation)w.Operation, a, b, c);
    }

    private static int Of(IntegerOperation operation, int a, int b, int c) => operation switch
    {
        IntegerOperation.Add => a + b,
        IntegerOperation.Subtract => a - b,
        IntegerOperation.Multiply => a * b,
        IntegerOperation.Minimum => IntrinsicMath.Min(a, b),
        IntegerOperation.Maximum => IntrinsicMath.Max(a, b),
        IntegerOperation.Less => a < b ? 1 : 0,
        IntegerOperation.Equal => a == b ? 1 : 0,
        _ => a != 0 ? b : c,
    };
}

/// <summary>y = start + step · index along an axis, of which <see cref="Inner"/> elements have one index.</summary>
internal struct IntegerRangeWork : IGpuWork<IntegerRangeWork>
{
    public ArrayView<int> Y;
    public Shape Shape;
    public int Inner, Length, Start, Step;

    public static void Run(IntegerRangeWork w)
    {
        int i = Grid.IdxX * Group.DimX + Group.IdxX;
        if (i < w.Shape.Count)
        {
            w.Y[Shape.At(w.Shape, w.Shape.Y, i)] = w.Start + w.Step * (i / w.Inner % w.Length);
        }
    }
}

/// <summary>Integers to real numbers, or back.</summary>
internal struct IntegerConversionWork<T> : IGpuWork<IntegerConversionWork<T>>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> Real;
    public ArrayView<int> Integer;
    public Shape Shape;
    public int ToReal;

    public static void Run(IntegerConversionWork<T> w)
    {
        int i = Grid.IdxX * Group.DimX + Group.IdxX;
        if (i >= w.Shape.Count)
        {
            return;
        }

        long x = Shape.At(w.Shape, w.Shape.A, i), y = Shape.At(w.Shape, w.Shape.Y, i);
        if (w.ToReal != 0)
        {
            w.Real[y] = T.Write(w.Integer[x]);
        }
        else
        {
            w.Integer[y] = (int)T.Read(w.Real[x]);
        }
    }
}
