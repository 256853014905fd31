using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Reduce;

/// <summary>dx = scale · y ⊙ (dy − Σ dy ⊙ y) (+ dx), a row a group; dx may be y or dy.</summary>
internal struct SoftmaxBackwardWork<T> : IGpuWork<SoftmaxBackwardWork<T>>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> Y, DY, DX;

    /// <summary>Rows: dx, y, dy.</summary>
    public Shape Rows;
    public long YStep, DYStep, DXStep;
    public int Length;
    public float Scale;
    public int Accumulate;

    public static void Run(SoftmaxBackwardWork<T> w)
    {
        ArrayView<float> shared = SharedMemory.Allocate<float>(GroupReduce.Most);
        int row = Grid.IdxX, thread = Group.IdxX;
        long y = Shape.At(w.Rows, w.Rows.A, row), dy = Shape.At(w.Rows, w.Rows.B, row), dx = Shape.At(w.Rows, w.Rows.Y, row);
        float sum = 0;
        for (int j = thread; j < w.Length; j += Group.DimX)
        {
            sum += T.Read(w.Y[y + j * w.YStep]) * T.Read(w.DY[dy + j * w.DYStep]);
        }

        float dot = GroupReduce.Sum(shared, sum);
        for (int j = thread; j < w.Length; j += Group.DimX)
        {
            float value = w.Scale * T.Read(w.Y[y + j * w.YStep]) * (T.Read(w.DY[dy + j * w.DYStep]) - dot);
            long at = dx + j * w.DXStep;
            w.DX[at] = T.Write(w.Accumulate != 0 ? T.Read(w.DX[at]) + value : value);
        }
    }
}
