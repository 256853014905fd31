using ILGPU;
using ILGPU.Algorithms;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Attention;

/// <summary>What a group does with one query's row of scores: take exponentials, add up values.</summary>
internal static class RowWeights
{
    /// <summary>Σ x · y over rows of two tensors.</summary>
    public static float Dot<T>(in HeadView<T> x, long xRow, in HeadView<T> y, long yRow)
        where T : unmanaged, IElement<T>
    {
        float sum = 0;
        for (int i = 0; i < x.Depth; i += 4)
        {
            Vector4<float> a = x.Read(xRow, i), b = y.Read(yRow, i);
            sum += a.A * b.A + a.B * b.B + (a.C * b.C + a.D * b.D);
        }

        return sum;
    }

    /// <summary>Weights become exp(weight − maximum); their sum comes back.</summary>
    public static float Exponentiate(ArrayView<float> shared, ArrayView<float> weights, int count, float maximum)
    {
        float sum = 0;
        for (int i = Group.IdxX; i < count; i += Group.DimX)
        {
            float weight = XMath.Exp(weights[i] - maximum);
            weights[i] = weight;
            sum += weight;
        }

        return GroupReduce.Sum(shared, sum);
    }

    /// <summary>y's row = factor · Σ weights[i] · values' row order[i] (added to what is there where asked for). Threads share the columns, what is left of them the keys.</summary>
    /// <param name="shared">A number of fours for each thread.</param>
    public static void Combine<T, TOrder>(
        ArrayView<Vector4<float>> shared, ArrayView<float> weights, int count, TOrder order, in HeadView<T> values, int batch, int keyHead,
        in HeadView<T> y, long yRow, float factor, int accumulate)
        where T : unmanaged, IElement<T>
        where TOrder : struct, IKeyOrder
    {
        int fours = (y.Depth + 3) / 4, lanes = IntrinsicMath.Min(fours, Group.DimX), parts = Group.DimX / lanes;
        int lane = Group.IdxX % lanes, part = Group.IdxX / lanes;
        for (int first = 0; first < fours; first += lanes)
        {
            int column = (first + lane) * 4;
            Vector4<float> sum = default;
            if (part < parts)
            {
                for (int i = part; i < count; i += parts)
                {
                    float weight = weights[i];
                    Vector4<float> v = values.Read(values.Row(batch, order.At(i), keyHead), column);
                    sum.A += weight * v.A;
                    sum.B += weight * v.B;
                    sum.C += weight * v.C;
                    sum.D += weight * v.D;
                }
            }

            Group.Barrier();
            shared[Group.IdxX] = sum;
            Group.Barrier();
            if (part == 0)
            {
                for (int i = 1; i < parts; i++)
                {
                    Vector4<float> other = shared[i * lanes + lane];
                    sum.A += other.A;
                    sum.B += other.B;
                    sum.C += other.C;
                    sum.D += other.D;
                }

                y.Write(yRow, column, sum, factor, accumulate);
            }
        }

        Group.Barrier();
    }
}

/// <summary>Where the i-th key of a row of weights lies.</summary>
internal interface IKeyOrder
{
    int At(int index);
}
