using System.Numerics;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.MatMul;

/// <summary>
/// A product of few rows (one token at a time): b is read once, where it lies, at the speed of memory. Where the k of b are
/// adjacent each element of y is a dot product, where its columns are, rows of b are added up; items are chunks of columns.
/// </summary>
internal unsafe struct SkinnyPass<V, T>
    where V : struct, ICpuLane<V>
    where T : unmanaged, INumberBase<T>
{
    private const int MaxDotRows = 8;
    private const int MaxSumRows = 4;
    private const int DotColumns = 4;
    private const int SumColumns = 256;
    private const int ItemElements = 1 << 15;

    private readonly Product _product;
    private readonly bool _dot;
    private readonly int _chunk;

    public SkinnyPass(in Product product)
    {
        _product = product;
        _dot = CanDot(product);
        // At least 32 K elements of b per item, so that claiming one costs little.
        _chunk = _dot ? Math.Max(DotColumns, ItemElements / product.Depth / DotColumns * DotColumns) : SumColumns;
    }

    public readonly long Items => BlockPlan.Ceiling(_product.Columns, _chunk);

    public readonly long SumBytes => MaxSumRows * SumColumns * sizeof(T);

    public static bool Fits(in Product product) =>
        CanDot(product) || (product.Rows <= MaxSumRows && product.BColumn == sizeof(T));

    public readonly void Multiply(long item, byte* scratch)
    {
        int column = (int)item * _chunk;
        int end = Math.Min(column + _chunk, _product.Columns);
        if (_dot)
        {
            for (; column < end; column += DotColumns)
            {
                Dot(column, Math.Min(DotColumns, end - column));
            }
        }
        else
        {
            Sum(column, end - column, (T*)scratch);
        }
    }

    private static bool CanDot(in Product product) =>
        product.Rows <= MaxDotRows && product.BStep == sizeof(T) && product.AStep == sizeof(T);

    /// <summary>Up to four columns of y. Missing columns are the last one again, so that there is one order of sums.</summary>
    private readonly void Dot(int column, int columns)
    {
        byte* b0 = _product.B + column * _product.BColumn;
        byte* b1 = b0 + Math.Min(1, columns - 1) * _product.BColumn;
        byte* b2 = b0 + Math.Min(2, columns - 1) * _product.BColumn;
        byte* b3 = b0 + Math.Min(3, columns - 1) * _product.BColumn;
        int row = 0;
        for (; row + 1 < _product.Rows; row += 2)
        {
            DotPair(row, column, columns, b0, b1, b2, b3);
        }

        if (row < _product.Rows)
        {
            DotOne(row, column, columns, b0, b1, b2, b3);
        }
    }

    private readonly void DotOne(int row, int column, int columns, byte* b0, byte* b1, byte* b2, byte* b3)
    {
        byte* a = _product.A + row * _product.ARow;
        V s0 = V.Constant(0), s1 = V.Constant(0), s2 = V.Constant(0), s3 = V.Constant(0);
        nint k = 0;
        for (; k <= _product.Depth - V.Width; k += V.Width)
        {
            V x = V.Load(a, k);
            s0 = V.MultiplyAdd(x, V.Load(b0, k), s0);
            s1 = V.MultiplyAdd(x, V.Load(b1, k), s1);
            s2 = V.MultiplyAdd(x, V.Load(b2, k), s2);
            s3 = V.MultiplyAdd(x, V.Load(b3, k), s3);
        }

        int rest = _product.Depth - (int)k;
        if (rest > 0)
        {
            V x = V.LoadPart(a, k, rest);
            s0 = V.MultiplyAdd(x, V.LoadPart(b0, k, rest), s0);
            s1 = V.MultiplyAdd(x, V.LoadPart(b1, k, rest), s1);
            s2 = V.MultiplyAdd(x, V.LoadPart(b2, k, rest), s2);
            s3 = V.MultiplyAdd(x, V.LoadPart(b3, k, rest), s3);
        }

        Write(row, column, columns, s0, s1, s2, s3);
    }

    private readonly void DotPair(int row, int column, int columns, byte* b0, byte* b1, byte* b2, byte* b3)
    {
        byte* a = _product.A + row * _product.ARow;
        byte* c = a + _product.ARow;
        V s0 = V.Constant(0), s1 = V.Constant(0), s2 = V.Constant(0), s3 = V.Constant(0);
        V t0 = V.Constant(0), t1 = V.Constant(0), t2 = V.Constant(0), t3 = V.Constant(0);
        nint k = 0;
        for (; k <= _product.Depth - V.Width; k += V.Width)
        {
            V x = V.Load(a, k), z = V.Load(c, k);
            V b = V.Load(b0, k);
            s0 = V.MultiplyAdd(x, b, s0);
            t0 = V.MultiplyAdd(z, b, t0);
            b = V.Load(b1, k);
            s1 = V.MultiplyAdd(x, b, s1);
            t1 = V.MultiplyAdd(z, b, t1);
            b = V.Load(b2, k);
            s2 = V.MultiplyAdd(x, b, s2);
            t2 = V.MultiplyAdd(z, b, t2);
            b = V.Load(b3, k);
            s3 = V.MultiplyAdd(x, b, s3);
            t3 = V.MultiplyAdd(z, b, t3);
        }

        int rest = _product.Depth - (int)k;
        if (rest > 0)
        {
            V x = V.LoadPart(a, k, rest), z = V.LoadPart(c, k, rest);
            V b = V.LoadPart(b0, k, rest);
            s0 = V.MultiplyAdd(x, b, s0);
            t0 = V.MultiplyAdd(z, b, t0);
            b = V.LoadPart(b1, k, rest);
            s1 = V.MultiplyAdd(x, b, s1);
            t1 = V.MultiplyAdd(z, b, t1);
            b = V.LoadPart(b2, k, rest);
            s2 = V.MultiplyAdd(x, b, s2);
            t2 = V.MultiplyAdd(z, b, t2);
            b = V.LoadPart(b3, k, rest);
            s3 = V.MultiplyAdd(x, b, s3);
            t3 = V.MultiplyAdd(z, b, t3);
        }

        Write(row, column, columns, s0, s1, s2, s3);
        Write(row + 1, column, columns, t0, t1, t2, t3);
    }

    private readonly void Write(int row, int column, int columns, V s0, V s1, V s2, V s3)
    {
        Write(row, column, V.Sum(s0));
        if (columns > 1)
        {
            Write(row, column + 1, V.Sum(s1));
        }

        if (columns > 2)
        {
            Write(row, column + 2, V.Sum(s2));
        }

        if (columns > 3)
        {
            Write(row, column + 3, V.Sum(s3));
        }
    }

    private readonly void Write(int row, int column, double sum)
        => Merging.Write(_product, (T*)(_product.Y + row * _product.YRow + column * _product.YColumn), T.CreateTruncating(_product.Alpha * sum), row, column);

    /// <summary>sums[row] += a[row, k] · b[k], four k at a time, over one chunk of columns.</summary>
    private readonly void Sum(int column, int columns, T* sums)
    {
        new Span<T>(sums, _product.Rows * SumColumns).Clear();
        byte* b = _product.B + column * _product.BColumn;
        int whole = columns / V.Width * V.Width;
        int k = 0;
        for (; k + 4 <= _product.Depth; k += 4)
        {
            for (int row = 0; row < _product.Rows; row++)
            {
                AddFour(_product.A + row * _product.ARow + k * _product.AStep, b + k * _product.BStep, whole, columns - whole, sums + row * SumColumns);
            }
        }

        for (; k < _product.Depth; k++)
        {
            for (int row = 0; row < _product.Rows; row++)
            {
                AddOne(_product.A + row * _product.ARow + k * _product.AStep, b + k * _product.BStep, whole, columns - whole, sums + row * SumColumns);
            }
        }

        T alpha = T.CreateTruncating(_product.Alpha);
        for (int row = 0; row < _product.Rows; row++)
        {
            for (int j = 0; j < columns; j++)
            {
                Merging.Write(_product, (T*)(_product.Y + row * _product.YRow + (column + j) * _product.YColumn), alpha * sums[row * SumColumns + j], row, column + j);
            }
        }
    }

    private readonly void AddFour(byte* a, byte* b, int whole, int rest, T* sums)
    {
        V x0 = V.Splat(a, 0), x1 = V.Splat(a + _product.AStep, 0), x2 = V.Splat(a + 2 * _product.AStep, 0), x3 = V.Splat(a + 3 * _product.AStep, 0);
        byte* b1 = b + _product.BStep, b2 = b1 + _product.BStep, b3 = b2 + _product.BStep;
        for (nint j = 0; j < whole; j += V.Width)
        {
            V sum = V.MultiplyAdd(x0, V.Load(b, j), V.Load(sums, j));
            sum = V.MultiplyAdd(x1, V.Load(b1, j), sum);
            sum = V.MultiplyAdd(x2, V.Load(b2, j), sum);
            V.Store(sums, j, V.MultiplyAdd(x3, V.Load(b3, j), sum));
        }

        if (rest > 0)
        {
            V sum = V.MultiplyAdd(x0, V.LoadPart(b, whole, rest), V.LoadPart(sums, whole, rest));
            sum = V.MultiplyAdd(x1, V.LoadPart(b1, whole, rest), sum);
            sum = V.MultiplyAdd(x2, V.LoadPart(b2, whole, rest), sum);
            V.StorePart(sums, whole, rest, V.MultiplyAdd(x3, V.LoadPart(b3, whole, rest), sum));
        }
    }

    private static void AddOne(byte* a, byte* b, int whole, int rest, T* sums)
    {
        V x = V.Splat(a, 0);
        for (nint j = 0; j < whole; j += V.Width)
        {
            V.Store(sums, j, V.MultiplyAdd(x, V.Load(b, j), V.Load(sums, j)));
        }

        if (rest > 0)
        {
            V.StorePart(sums, whole, rest, V.MultiplyAdd(x, V.LoadPart(b, whole, rest), V.LoadPart(sums, whole, rest)));
        }
    }
}
