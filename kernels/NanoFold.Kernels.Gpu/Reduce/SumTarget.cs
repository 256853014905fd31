using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Reduce;

/// <summary>Where sums go: to y, or where a sum is cut into segments to partial sums [segment, output].</summary>
internal struct SumTarget
{
    /// <summary>What is kept: y, x.</summary>
    public Shape Kept;
    public ArrayView<F32> Y;
    public ArrayView<float> Partial;
    public int Segments, Accumulate;

    public static void Write(in SumTarget target, int output, int segment, float sum)
    {
        if (target.Segments > 1)
        {
            target.Partial[(long)segment * target.Kept.Count + output] = sum;
            return;
        }

        long at = Shape.At(target.Kept, target.Kept.Y, output);
        target.Y[at] = F32.Write(target.Accumulate != 0 ? F32.Read(target.Y[at]) + sum : sum);
    }
}
