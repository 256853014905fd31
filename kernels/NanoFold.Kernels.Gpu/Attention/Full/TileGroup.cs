using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Attention.Full;

/// <summary>
/// How a group of threads multiplies tiles in shared memory: eight threads beside each other work on four rows. Of a tile of scores
/// [rows, 32] thread (r, c) has rows 4r .. 4r + 3 and columns c, c + 8, c + 16, c + 24; of an output [rows, 64] the columns 4c .. 4c + 3 and 32 more.
/// A group of n threads has n / 2 rows. Strides in shared memory keep the eight threads on different banks.
/// </summary>
internal static class TileGroup
{
    /// <summary>Rows of the largest group.</summary>
    public const int MostRows = MostThreads / Across * 4;

    /// <summary>Columns of a tile of scores.</summary>
    public const int Columns = 32;

    /// <summary>Elements of the inner dimension in shared memory at once, and columns of an output.</summary>
    public const int Chunk = 64;

    /// <summary>Fours between rows of a chunk.</summary>
    public const int Stride = Chunk / 4 + 1;

    /// <summary>Fours between rows of weights.</summary>
    public const int WeightStride = Columns / 4 + 1;

    public const int Across = 8;
    private const int MostThreads = 128;

    /// <summary>Threads of a group on this device.</summary>
    public static int Threads(GpuContext context) => Math.Min(context.GroupSize, MostThreads);

    /// <summary>Rows of a group of so many threads.</summary>
    public static int Rows(int threads) => threads / Across * 4;

    /// <summary>Columns [column, column + 64) of rows [first, first + count) of one head; zeros for what is not there.</summary>
    public static void Load<T>(ArrayView<Vector4<float>> tile, in HeadView<T> x, int batch, int head, int first, int count, int limit, int column)
        where T : unmanaged, IElement<T>
    {
        for (int i = Group.IdxX; i < count * (Chunk / 4); i += Group.DimX)
        {
            int row = i / (Chunk / 4), four = i % (Chunk / 4);
            Vector4<float> values = default;
            if (first + row < limit)
            {
                values = x.Read(x.Row(batch, first + row, head), column + four * 4);
            }

            tile[row * Stride + four] = values;
        }
    }

    /// <summary>scores += a · bᵀ over one chunk.</summary>
    public static void AddScores(ref Block scores, ArrayView<Vector4<float>> a, ArrayView<Vector4<float>> b)
    {
        int row = Group.IdxX / Across * 4 * Stride, column = Group.IdxX % Across * Stride;
        for (int i = 0; i < Chunk / 4; i++)
        {
            Block x, y;
            x.A = a[row + i];
            x.B = a[row + Stride + i];
            x.C = a[row + 2 * Stride + i];
            x.D = a[row + 3 * Stride + i];
            y.A = b[column + i];
            y.B = b[column + 8 * Stride + i];
            y.C = b[column + 16 * Stride + i];
            y.D = b[column + 24 * Stride + i];
            scores.AddDots(x, y);
        }
    }

    /// <summary>(left, right) += weights · b, [rows, 32] · [32, 64].</summary>
    public static void AddOutput(ref Block left, ref Block right, ArrayView<float> weights, ArrayView<Vector4<float>> b)
    {
        ArrayView<Vector4<float>> w = weights.Cast<Vector4<float>>();
        int row = Group.IdxX / Across * 4 * WeightStride, column = Group.IdxX % Across;
        for (int i = 0; i < Columns / 4; i++)
        {
            Block x, y;
            x.A = w[row + i];
            x.B = w[row + WeightStride + i];
            x.C = w[row + 2 * WeightStride + i];
            x.D = w[row + 3 * WeightStride + i];
            int at = i * 4 * Stride + column;
            y.A = b[at];
            y.B = b[at + Stride];
            y.C = b[at + 2 * Stride];
            y.D = b[at + 3 * Stride];
            left.AddProduct(x, y);
            y.A = b[at + 8];
            y.B = b[at + Stride + 8];
            y.C = b[at + 2 * Stride + 8];
            y.D = b[at + 3 * Stride + 8];
            right.AddProduct(x, y);
        }
    }

    /// <summary>Puts a tile of scores where <see cref="AddOutput"/> reads it.</summary>
    public static void Store(ArrayView<float> weights, in Block x)
    {
        int at = Group.IdxX / Across * 4 * WeightStride * 4 + Group.IdxX % Across;
        StoreRow(weights, at, x.A);
        StoreRow(weights, at + WeightStride * 4, x.B);
        StoreRow(weights, at + 2 * WeightStride * 4, x.C);
        StoreRow(weights, at + 3 * WeightStride * 4, x.D);
    }

    /// <summary>Writes an output's columns from <paramref name="column"/> on to rows first .. of one head.</summary>
    public static void Write<T>(in HeadView<T> y, int batch, int head, int first, int limit, int column, in Block left, in Block right, in Vector4<float> scale, int accumulate)
        where T : unmanaged, IElement<T>
    {
        first += Group.IdxX / Across * 4;
        column += Group.IdxX % Across * 4;
        WriteRow(y, batch, head, first, limit, column, left.A, right.A, scale.A, accumulate);
        WriteRow(y, batch, head, first + 1, limit, column, left.B, right.B, scale.B, accumulate);
        WriteRow(y, batch, head, first + 2, limit, column, left.C, right.C, scale.C, accumulate);
        WriteRow(y, batch, head, first + 3, limit, column, left.D, right.D, scale.D, accumulate);
    }

    private static void WriteRow<T>(in HeadView<T> y, int batch, int head, int row, int limit, int column, in Vector4<float> left, in Vector4<float> right, float scale, int accumulate)
        where T : unmanaged, IElement<T>
    {
        if (row < limit)
        {
            long at = y.Row(batch, row, head);
            y.Write(at, column, left, scale, accumulate);
            y.Write(at, column + Columns, right, scale, accumulate);
        }
    }

    private static void StoreRow(ArrayView<float> weights, int at, in Vector4<float> x)
    {
        weights[at] = x.A;
        weights[at + 8] = x.B;
        weights[at + 16] = x.C;
        weights[at + 24] = x.D;
    }
}

/// <summary>Four rows of four numbers in registers.</summary>
internal struct Block
{
    public Vector4<float> A, B, C, D;

    /// <summary>Row sums of products: this[i, j] += x_i · y_j over four of the inner dimension.</summary>
    public void AddDots(in Block x, in Block y)
    {
        A = Dots(A, x.A, y);
        B = Dots(B, x.B, y);
        C = Dots(C, x.C, y);
        D = Dots(D, x.D, y);
    }

    /// <summary>this += w · v, [4, 4] each.</summary>
    public void AddProduct(in Block w, in Block v)
    {
        A = Combine(A, w.A, v);
        B = Combine(B, w.B, v);
        C = Combine(C, w.C, v);
        D = Combine(D, w.D, v);
    }

    /// <summary>Multiplies row i by factor i.</summary>
    public void ScaleRows(in Vector4<float> factors)
    {
        A = Times(A, factors.A);
        B = Times(B, factors.B);
        C = Times(C, factors.C);
        D = Times(D, factors.D);
    }

    private static Vector4<float> Times(in Vector4<float> x, float factor) =>
        new() { A = x.A * factor, B = x.B * factor, C = x.C * factor, D = x.D * factor };

    private static Vector4<float> Dots(in Vector4<float> sum, in Vector4<float> x, in Block y) => new()
    {
        A = Dot(sum.A, x, y.A),
        B = Dot(sum.B, x, y.B),
        C = Dot(sum.C, x, y.C),
        D = Dot(sum.D, x, y.D),
    };

    private static float Dot(float sum, in Vector4<float> x, in Vector4<float> y) => x.D * y.D + (x.C * y.C + (x.B * y.B + (x.A * y.A + sum)));

    private static Vector4<float> Combine(in Vector4<float> sum, in Vector4<float> w, in Block v) => new()
    {
        A = w.D * v.D.A + (w.C * v.C.A + (w.B * v.B.A + (w.A * v.A.A + sum.A))),
        B = w.D * v.D.B + (w.C * v.C.B + (w.B * v.B.B + (w.A * v.A.B + sum.B))),
        C = w.D * v.D.C + (w.C * v.C.C + (w.B * v.B.C + (w.A * v.A.C + sum.C))),
        D = w.D * v.D.D + (w.C * v.C.D + (w.B * v.B.D + (w.A * v.A.D + sum.D))),
    };
}
