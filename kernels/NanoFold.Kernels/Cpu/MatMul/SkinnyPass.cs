using System.Numerics;
using System.Runtime.Intrinsics;
using NanoFold.Kernels.Cpu.MatMul.Tiles;
using NanoFold.Kernels.Cpu.Stored;

namespace NanoFold.Kernels.Cpu.MatMul;

/// <summary>
/// A product of few rows (one token at a time): b is read once, where it lies, at the speed of memory. Where the k of b are
/// adjacent each element of y is a dot product, where its columns are, rows of b are added up; items are chunks of columns.
/// </summary>
internal unsafe struct SkinnyPass<O, V, T>
    where O : struct, IVectorOps<V>
    where V : struct
    where T : unmanaged, INumberBase<T>
{
    private const int MaxDotRows = 24;
    private const int MaxSumRows = 3;
    private const int LongDepth = 128;
    private const int DotColumns = 4;
    private const int SumColumns = 1024;
    private const int LeastElements = 1 << 15, MostElements = 1 << 17;
    private const int WantedItems = 16;

    /// <summary>What is read over and over, a token at a time, and so stays in a second-level cache.</summary>
    private const long NearBytes = 1 << 18;

    private readonly Product _product;
    private readonly bool _dot, _tiles, _near, _far;
    private readonly int _chunk;

    /// <param name="product">The product.</param>
    /// <param name="dots">Dot products whatever the number of rows: the order of their sums does not depend on it.</param>
    public SkinnyPass(in Product product, bool dots = false)
    {
        _product = product;
        _dot = dots || CanDot(product);
        _tiles = !_dot && product.Rows > MaxSumRows;
        _near = _dot && IsNear(product);
        _far = _dot && !product.IsStored && (long)product.Columns * product.Depth * sizeof(T) > NearBytes;
        // Dot products: long streams, but enough items to share. Sums: long runs of each row, but eight items.
        _chunk = _dot ? DotChunk(product)
            : _tiles ? FewRows<O, V, T>.ChunkColumns
            : Math.Clamp(BlockPlan.Ceiling(product.Columns, 8 * 64) * 64, 64, SumColumns);
    }

    public readonly long Items => BlockPlan.Ceiling(_product.Columns, _chunk);

    public readonly long ScratchBytes => _product.IsStored
        ? (long)DotColumns * _product.Depth * sizeof(float)
        : Math.Max(MaxSumRows * SumColumns, FewRows<O, V, T>.ScratchElements) * sizeof(T);

    public static bool Fits(in Product product) =>
        CanDot(product) || (product.Rows <= MaxSumRows && product.BColumn == sizeof(T) && !product.IsStored) || FewRows<O, V, T>.Fits(product);

    public readonly void Multiply(long item, byte* scratch)
    {
        int column = (int)item * _chunk;
        int end = Math.Min(column + _chunk, _product.Columns);
        if (_dot && ManyRows<O, V, T>.Fits(_product))
        {
            ManyRows<O, V, T>.Run(_product, column, end, scratch);
        }
        else if (_far)
        {
            Dot<FarLoads<O, V>>(column, end, scratch);
        }
        else if (_dot)
        {
            Dot<OwnLoads<O, V>>(_near ? Near(column, end) : column, end, scratch);
        }
        else if (_tiles)
        {
            new FewRows<O, V, T>(_product, column, end - column, (T*)scratch).Multiply();
        }
        else
        {
            Sum(column, end - column, (T*)scratch);
        }
    }

    /// <summary>Whether so few rows are dot products along adjacent k.</summary>
    public static bool CanDot(in Product product) =>
        product.Rows <= (product.Depth >= LongDepth ? MaxDotRows : 4) && product.BStep == sizeof(T) && product.AStep == sizeof(T);

    /// <summary>One row of floats over a small b, with nothing between the sums and neighboring places of y but additions.</summary>
    private static bool IsNear(in Product product) =>
        typeof(T) == typeof(float) && !product.IsStored && product.Rows == 1 && product.Alpha == 1 && product.YColumn == sizeof(T) && (long)product.Columns * product.Depth * sizeof(T) <= NearBytes
        && (product.Bias.IsNone || product.Bias.Column == sizeof(T)) && (product.Residual.IsNone || product.Residual.Column == sizeof(T));

    private static int DotChunk(in Product product)
    {
        long elements = Math.Clamp((long)product.Columns * product.Depth / WantedItems, LeastElements, MostElements);
        return (int)Math.Max(DotColumns, elements / product.Depth / DotColumns * DotColumns);
    }

    /// <summary>Four columns side by side at a time, to the bits of <see cref="Dot"/>; returns the first column of those that are left.</summary>
    private readonly int Near(int column, int end)
    {
        nint step = _product.BColumn;
        bool accumulates = _product.Accumulate;
        float* bias = (float*)_product.Bias.Pointer, residual = (float*)_product.Residual.Pointer, y = (float*)_product.Y;
        byte* a = _product.A, b = _product.B + column * step;
        int depth = _product.Depth;
        for (; column + DotColumns <= end; column += DotColumns, b += DotColumns * step)
        {
            Vector128<float> four = new DotProducts<O, V, OwnLoads<O, V>> { B0 = b, B1 = b + step, B2 = b + 2 * step, B3 = b + 3 * step }.One(a, depth);
            four = accumulates ? Vector128.Load(y + column) + four : four;
            four = bias is null ? four : four + Vector128.Load(bias + column);
            four = residual is null ? four : four + Vector128.Load(residual + column);
            four.Store(y + column);
        }

        return column;
    }

    private readonly void Dot<B>(int column, int end, byte* scratch)
        where B : struct, IRowLoads<V>
    {
        double* sums = stackalloc double[3 * DotColumns];
        bool direct = _product.IsStored && StoredDots.Fits<V>(_product);
        // Columns far apart are four long streams, which the memory delivers faster than four short ones side by side.
        int apart = BlockPlan.Ceiling(end - column, DotColumns), last = end - 1 - column;
        for (int left = apart; left > 0; left--, column++, last--)
        {
            int columns = Math.Min(DotColumns, last / apart + 1);
            byte* b = _product.B + column * _product.BColumn;
            // Missing columns are the last one again, so that there is one order of sums.
            var dots = new DotProducts<O, V, B>
            {
                B0 = b,
                B1 = b + Math.Min(1, columns - 1) * apart * _product.BColumn,
                B2 = b + Math.Min(2, columns - 1) * apart * _product.BColumn,
                B3 = b + Math.Min(3, columns - 1) * apart * _product.BColumn,
            };
            if (direct)
            {
                new StoredDots { B0 = dots.B0, B1 = dots.B1, B2 = dots.B2, B3 = dots.B3, Scratch = scratch }.Run(_product, sums);
                Put(0, _product.Rows, column, columns, apart, sums);
                continue;
            }

            if (_product.IsStored)
            {
                dots = Widened(dots, columns, scratch);
            }

            for (int row = 0; row < _product.Rows;)
            {
                byte* a = _product.A + row * _product.ARow;
                int rows;
                switch (_product.Rows - row)
                {
                    case 1:
                        rows = 1;
                        dots.One(a, _product.Depth, sums);
                        break;
                    case 2 or 4:
                        rows = 2;
                        dots.Two(a, _product.ARow, _product.Depth, sums);
                        break;
                    default:
                        rows = 3;
                        dots.Three(a, _product.ARow, _product.Depth, sums);
                        break;
                }

                Put(row, rows, column, columns, apart, sums);
                row += rows;
            }
        }
    }

    private readonly void Put(int row, int rows, int column, int columns, int apart, double* sums)
    {
        for (int i = 0; i < rows; i++)
        {
            for (int j = 0; j < columns; j++)
            {
                int y = column + j * apart;
                Merging.Write(_product, Y(row + i, y), T.CreateTruncating(_product.Alpha * sums[i * DotColumns + j]), row + i, y);
            }
        }
    }

    // The columns in single precision, where they stay in a cache for all rows of a.
    private readonly DotProducts<O, V, B> Widened<B>(in DotProducts<O, V, B> dots, int columns, byte* scratch)
        where B : struct, IRowLoads<V> => new()
    {
        B0 = StoredRows.Widened(_product, dots.B0, 0, scratch),
        B1 = StoredRows.Widened(_product, dots.B1, Math.Min(1, columns - 1), scratch),
        B2 = StoredRows.Widened(_product, dots.B2, Math.Min(2, columns - 1), scratch),
        B3 = StoredRows.Widened(_product, dots.B3, Math.Min(3, columns - 1), scratch),
    };

    /// <summary>sums[row] += a[row, k] · b[k], four k at a time, over one chunk of columns.</summary>
    private readonly void Sum(int column, int columns, T* sums)
    {
        new Span<T>(sums, _product.Rows * SumColumns).Clear();
        byte* b = _product.B + column * _product.BColumn;
        int k = 0;
        for (; k + 4 <= _product.Depth; k += 4)
        {
            for (int row = 0; row < _product.Rows; row++)
            {
                AddFour(_product.A + row * _product.ARow + k * _product.AStep, b + k * _product.BStep, columns, (byte*)(sums + row * SumColumns));
            }
        }

        for (; k < _product.Depth; k++)
        {
            for (int row = 0; row < _product.Rows; row++)
            {
                AddOne(_product.A + row * _product.ARow + k * _product.AStep, b + k * _product.BStep, columns, (byte*)(sums + row * SumColumns));
            }
        }

        T alpha = T.CreateTruncating(_product.Alpha);
        for (int row = 0; row < _product.Rows; row++)
        {
            for (int j = 0; j < columns; j++)
            {
                Merging.Write(_product, Y(row, column + j), alpha * sums[row * SumColumns + j], row, column + j);
            }
        }
    }

    private readonly void AddFour(byte* a, byte* b, int columns, byte* sums)
    {
        V x0 = O.Splat(a), x1 = O.Splat(a + _product.AStep), x2 = O.Splat(a + 2 * _product.AStep), x3 = O.Splat(a + 3 * _product.AStep);
        byte* b1 = b + _product.BStep, b2 = b1 + _product.BStep, b3 = b2 + _product.BStep;
        nint end = columns * sizeof(T), j = 0;
        for (; j <= end - O.Bytes; j += O.Bytes)
        {
            V sum = O.MultiplyAdd(x0, O.Load(b + j), O.Load(sums + j));
            sum = O.MultiplyAdd(x1, O.Load(b1 + j), sum);
            sum = O.MultiplyAdd(x2, O.Load(b2 + j), sum);
            O.Store(sums + j, O.MultiplyAdd(x3, O.Load(b3 + j), sum));
        }

        if (j < end)
        {
            int rest = (int)(end - j) / sizeof(T);
            V sum = O.MultiplyAdd(x0, O.LoadPart(b + j, rest), O.LoadPart(sums + j, rest));
            sum = O.MultiplyAdd(x1, O.LoadPart(b1 + j, rest), sum);
            sum = O.MultiplyAdd(x2, O.LoadPart(b2 + j, rest), sum);
            O.StorePart(sums + j, rest, O.MultiplyAdd(x3, O.LoadPart(b3 + j, rest), sum));
        }
    }

    private static void AddOne(byte* a, byte* b, int columns, byte* sums)
    {
        V x = O.Splat(a);
        nint end = columns * sizeof(T), j = 0;
        for (; j <= end - O.Bytes; j += O.Bytes)
        {
            O.Store(sums + j, O.MultiplyAdd(x, O.Load(b + j), O.Load(sums + j)));
        }

        if (j < end)
        {
            int rest = (int)(end - j) / sizeof(T);
            O.StorePart(sums + j, rest, O.MultiplyAdd(x, O.LoadPart(b + j, rest), O.LoadPart(sums + j, rest)));
        }
    }

    private readonly T* Y(int row, int column) => (T*)(_product.Y + row * _product.YRow + column * _product.YColumn);
}
