using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Pointwise;

/// <summary>
/// (y, z) = op(a, b, c) over contiguous memory, an element a thread: for a processor, whose compiler makes vectors of neighboring threads, but not of threads that have
/// fours already.
/// </summary>
internal struct LineWork<TOp> : IGpuWork<LineWork<TOp>>
    where TOp : struct, IPointwise
{
    public TOp Op;
    public int Count;
    public ArrayView<float> A, B, C, Y, Z;
    public int AccumulateY, AccumulateZ;

    public static LineWork<TOp> Of(GpuContext context, TOp op, in View a, in View b, in View c, in View y, bool accumulateY, in View z, bool accumulateZ) => new()
    {
        Op = op, Count = (int)y.Count, A = context.View<float>(a), B = context.View<float>(b), C = context.View<float>(c), Y = context.View<float>(y), Z = context.View<float>(z),
        AccumulateY = accumulateY ? 1 : 0, AccumulateZ = accumulateZ ? 1 : 0,
    };

    public static void Run(LineWork<TOp> w)
    {
        int i = Grid.IdxX * Group.DimX + Group.IdxX;
        if (i >= w.Count)
        {
            return;
        }

        GpuLane b = default, c = default, a = new(w.A[i]);
        if (TOp.Operands > 1)
        {
            b = new GpuLane(w.B[i]);
        }

        if (TOp.Operands > 2)
        {
            c = new GpuLane(w.C[i]);
        }

        float y = w.Op.Invoke(a, b, c, out GpuLane second).Value;
        w.Y[i] = w.AccumulateY != 0 ? w.Y[i] + y : y;
        if (TOp.IsPair)
        {
            w.Z[i] = w.AccumulateZ != 0 ? w.Z[i] + second.Value : second.Value;
        }
    }
}
