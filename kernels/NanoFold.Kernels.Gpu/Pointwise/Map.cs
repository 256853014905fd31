using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Pointwise;

/// <summary>Elementwise formulas of one to three operands and one or two results.</summary>
internal static class Map
{
    public static void Run<TOp>(GpuContext context, TOp op, in View a, in View b, in View c, in View y, bool accumulateY, in View z = default, bool accumulateZ = false)
        where TOp : struct, IPointwise
        => ByElement.Run("map", y, new Body<TOp>(context, op, a, b, c, y, accumulateY, TOp.IsPair ? z : y, accumulateZ));

    private readonly struct Body<TOp>(GpuContext context, TOp op, View a, View b, View c, View y, bool accumulateY, View z, bool accumulateZ) : IElementBody
        where TOp : struct, IPointwise
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
        {
            if (context.VectorMap?.TryRun(op, a, b, c, y, accumulateY, z, accumulateZ) == true)
            {
                return;
            }

            if (Vectors.IsFlat(a, y) && Vectors.IsFlat(b, y) && Vectors.IsFlat(c, y) && Vectors.IsFlat(z, y))
            {
                Launch<T>(pieces: 0);
                return;
            }

            if (FlatRows.Pieces(y, z, a, b, c) is > 0 and var pieces && !context.IsProcessor)
            {
                Launch<T>(pieces);
                return;
            }

            Nest shape = Nest.Of(y.Layout, a.Layout, b.Layout, c.Layout, z.Layout);
            context.LaunchThreads(
                new PointwiseWork<TOp, T>
                {
                    Op = op, Shape = shape, A = context.View<T>(a), B = context.View<T>(b), C = context.View<T>(c),
                    Y = context.View<T>(y), Z = context.View<T>(z), AccumulateY = accumulateY ? 1 : 0, AccumulateZ = accumulateZ ? 1 : 0,
                },
                shape.Count);
        }

        private void Launch<T>(int pieces)
            where T : unmanaged, IElement<T>
        {
            int fours = (int)(y.Count / 4);
            context.LaunchThreads(
                new FlatWork<TOp, T>
                {
                    Op = op, Fours = fours, Pieces = pieces,
                    A = Vectors.Of<T>(context, a), B = Vectors.Of<T>(context, b), C = Vectors.Of<T>(context, c),
                    Y = Vectors.Of<T>(context, y), Z = Vectors.Of<T>(context, z),
                    StepA = Step(a, pieces), StepB = Step(b, pieces), StepC = Step(c, pieces), StepY = Step(y, pieces), StepZ = Step(z, pieces),
                    AccumulateY = accumulateY ? 1 : 0, AccumulateZ = accumulateZ ? 1 : 0,
                },
                fours);
        }

        private static int Step(in View x, int pieces) => pieces == 0 ? 0 : FlatRows.Step(x, pieces);
    }
}

/// <summary>(y, z) = op(a, b, c) over contiguous memory aligned to four elements, or rows of it, four elements a thread.</summary>
internal struct FlatWork<TOp, T> : IGpuWork<FlatWork<TOp, T>>
    where TOp : struct, IPointwise
    where T : unmanaged, IElement<T>
{
    public TOp Op;
    public int Fours;

    /// <summary>Fours of a row, 0 where all is one; from row to row of each operand there are so many steps of four.</summary>
    public int Pieces, StepA, StepB, StepC, StepY, StepZ;
    public ArrayView<Vector4<T>> A, B, C, Y, Z;
    public int AccumulateY, AccumulateZ;

    public static void Run(FlatWork<TOp, T> w)
    {
        int i = Grid.IdxX * Group.DimX + Group.IdxX;
        if (i >= w.Fours)
        {
            return;
        }

        int row = 0, at = i;
        if (w.Pieces != 0)
        {
            row = i / w.Pieces;
            at = i - (row * w.Pieces);
        }

        Vector4<T> b = default, c = default, a = w.A[(row * w.StepA) + at];
        if (TOp.Operands > 1)
        {
            b = w.B[(row * w.StepB) + at];
        }

        if (TOp.Operands > 2)
        {
            c = w.C[(row * w.StepC) + at];
        }

        int placeY = (row * w.StepY) + at, placeZ = (row * w.StepZ) + at;
        Vector4<T> y = default, z = default;
        if (w.AccumulateY != 0)
        {
            y = w.Y[placeY];
        }

        if (TOp.IsPair && w.AccumulateZ != 0)
        {
            z = w.Z[placeZ];
        }

        y.A = One(w, a.A, b.A, c.A, y.A, z.A, out z.A);
        y.B = One(w, a.B, b.B, c.B, y.B, z.B, out z.B);
        y.C = One(w, a.C, b.C, c.C, y.C, z.C, out z.C);
        y.D = One(w, a.D, b.D, c.D, y.D, z.D, out z.D);
        w.Y[placeY] = y;
        if (TOp.IsPair)
        {
            w.Z[placeZ] = z;
        }
    }

    private static T One(in FlatWork<TOp, T> w, T a, T b, T c, T y, T z, out T second)
    {
        float first = w.Op.Invoke(new GpuLane(T.Read(a)), new GpuLane(T.Read(b)), new GpuLane(T.Read(c)), out GpuLane other).Value;
        second = T.Write(w.AccumulateZ != 0 ? T.Read(z) + other.Value : other.Value);
        return T.Write(w.AccumulateY != 0 ? T.Read(y) + first : first);
    }
}

/// <summary>(y, z) = op(a, b, c), an element a thread, any strides.</summary>
internal struct PointwiseWork<TOp, T> : IGpuWork<PointwiseWork<TOp, T>>
    where TOp : struct, IPointwise
    where T : unmanaged, IElement<T>
{
    public TOp Op;
    public Nest Shape;
    public ArrayView<T> A, B, C, Y, Z;
    public int AccumulateY, AccumulateZ;

    public static void Run(PointwiseWork<TOp, T> w)
    {
        int i = Grid.IdxX * Group.DimX + Group.IdxX;
        if (i >= w.Shape.Count)
        {
            return;
        }

        GpuLane b = default, c = default;
        var a = new GpuLane(T.Read(w.A[Nest.At(w.Shape, w.Shape.A, i)]));
        if (TOp.Operands > 1)
        {
            b = new GpuLane(T.Read(w.B[Nest.At(w.Shape, w.Shape.B, i)]));
        }

        if (TOp.Operands > 2)
        {
            c = new GpuLane(T.Read(w.C[Nest.At(w.Shape, w.Shape.C, i)]));
        }

        float y = w.Op.Invoke(a, b, c, out GpuLane second).Value;
        long at = Nest.At(w.Shape, w.Shape.Y, i);
        w.Y[at] = T.Write(w.AccumulateY != 0 ? T.Read(w.Y[at]) + y : y);
        if (TOp.IsPair)
        {
            at = Nest.At(w.Shape, w.Shape.Z, i);
            w.Z[at] = T.Write(w.AccumulateZ != 0 ? T.Read(w.Z[at]) + second.Value : second.Value);
        }
    }
}
