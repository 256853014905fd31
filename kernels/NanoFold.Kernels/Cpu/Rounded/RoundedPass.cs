using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using NanoFold.Kernels.Cpu.MatMul;

namespace NanoFold.Kernels.Cpu.Rounded;

/// <summary>
/// A product with weights of blocks, its activations rounded to 8 bits (<see cref="Backend.RoundsActivations"/>), as integers: rows are rounded once, then chunks of columns are multiplied. Every
/// element of y has the same bits whatever rows stand beside it, on any instruction set and with any number of threads.
/// </summary>
internal unsafe struct RoundedPass
{
    /// <summary>With more rows products of floats in tiles are faster.</summary>
    public const int MostRows = 24;

    private const int Columns = RoundedColumns.Columns, Unit = DTypeExtensions.BlockValues;
    private const int LeastElements = 1 << 15, MostElements = 1 << 17, WantedItems = 16;

    /// <summary>Rows that go over the same columns one after the other: they stay in a second-level cache.</summary>
    private const int RowBlock = 64;

    /// <summary>Rows for which it pays to unpack columns.</summary>
    private const int ManyRows = 8;

    private readonly Product _product;
    private readonly Isa _isa;
    private readonly int _chunk;
    private RoundedRows _rows;

    public RoundedPass(in Product product, Isa isa)
    {
        _product = product;
        _isa = isa;
        _rows = new RoundedRows(null, product.Depth);
        long elements = Math.Clamp((long)product.Columns * product.Depth / WantedItems, LeastElements, MostElements);
        _chunk = (int)Math.Max(Columns, elements / product.Depth / Columns * Columns);
    }

    /// <summary>What <see cref="Round"/> is called for.</summary>
    public readonly long Rows => _product.Rows;

    /// <summary>What <see cref="Multiply"/> is called for, after all rows are rounded.</summary>
    public readonly long Items => BlockPlan.Ceiling(_product.Columns, _chunk);

    /// <summary>Of the rounded rows.</summary>
    public readonly long RowsBytes => _product.Rows * _rows.RowBytes;

    /// <summary>Of each worker.</summary>
    public readonly long ScratchBytes => ((RoundedColumns.ScratchBytes(Units) + (Columns * _product.Depth)) + 63) / 64 * 64;

    private readonly int Units => _product.Depth / Unit;

    public static bool Fits(CpuContext context, in Product product) => context.RoundsActivations && product.Stored.IsBlocks();

    /// <param name="memory">Room for <see cref="RowsBytes"/>.</param>
    public void Start(byte* memory) => _rows = new RoundedRows(memory, _product.Depth);

    public readonly void Round(long row) => _rows.Round(_product, (int)row, _product.Stored switch
    {
        DType.Q8_0 => Q8Bytes.Offset,
        DType.Q4_0 => Q4Bytes.Offset,
        _ => Q4FromBytes.Offset,
    });

    public readonly void Multiply(long item, byte* scratch)
    {
        switch (_product.Stored)
        {
            case DType.Q8_0:
                Multiply<Q8Bytes>(item, scratch);
                break;
            case DType.Q4_0:
                Multiply<Q4Bytes>(item, scratch);
                break;
            default:
                Multiply<Q4FromBytes>(item, scratch);
                break;
        }
    }

    private readonly void Multiply<F>(long item, byte* scratch)
        where F : struct, IByteUnit
    {
        if (_isa >= Isa.Vector256 && AvxVnni.IsSupported)
        {
            Multiply<F, VnniDots>(item, scratch);
        }
        else if (_isa >= Isa.Vector256 && Avx2.IsSupported)
        {
            Multiply<F, PairDots>(item, scratch);
        }
        else
        {
            Multiply<F, PortableDots>(item, scratch);
        }
    }

    private readonly void Multiply<F, D>(long item, byte* scratch)
        where F : struct, IByteUnit
        where D : struct, IByteDots
    {
        int start = (int)item * _chunk, end = Math.Min(start + _chunk, _product.Columns);
        var scales = new RoundedColumns(scratch, Units);
        byte* unpacked = scratch + RoundedColumns.ScratchBytes(Units);
        // Columns far apart are four long streams, which the memory delivers faster than four short ones side by side.
        int apart = BlockPlan.Ceiling(end - start, Columns);
        for (int first = 0; first < _product.Rows; first += RowBlock)
        {
            int rows = Math.Min(RowBlock, _product.Rows - first);
            for (int column = start; column < start + apart; column++)
            {
                // Missing columns are the last one again.
                int columns = Math.Min(Columns, ((end - 1 - column) / apart) + 1);
                nint second = Next(1, columns, apart), third = Next(2, columns, apart), fourth = Next(3, columns, apart);
                byte* b = _product.B + (column * _product.BColumn);
                scales.Take<F>(b, second, third, fourth);
                if (rows < ManyRows)
                {
                    Multiply(new RoundedDots<F, D>(b, second, third, fourth, Units), scales, first, rows, column, columns, apart);
                    continue;
                }

                int depth = _product.Depth;
                Unpack<F>(b, unpacked);
                Unpack<F>(b + second, unpacked + depth);
                Unpack<F>(b + third, unpacked + (2 * depth));
                Unpack<F>(b + fourth, unpacked + (3 * depth));
                Multiply(new RoundedDots<Unpacked<F>, D>(unpacked, depth, 2 * depth, 3 * depth, Units), scales, first, rows, column, columns, apart);
            }
        }
    }

    private readonly void Multiply<F, D>(in RoundedDots<F, D> dots, in RoundedColumns scales, int row, int rows, int column, int columns, int apart)
        where F : struct, IByteUnit
        where D : struct, IByteDots
    {
        for (; rows > 1; row += 2, rows -= 2)
        {
            (Vector128<float> one, Vector128<float> two) = dots.Two(
                _rows.Blocks(row), scales.Products(_rows.Scales(row), 0), _rows.Blocks(row + 1), scales.Products(_rows.Scales(row + 1), 1));
            Put(F.Offset == 0 ? one + scales.Least(_rows.Sums(row)) : one, row, column, columns, apart);
            Put(F.Offset == 0 ? two + scales.Least(_rows.Sums(row + 1)) : two, row + 1, column, columns, apart);
        }

        if (rows == 1)
        {
            Vector128<float> one = dots.One(_rows.Blocks(row), scales.Products(_rows.Scales(row), 0));
            Put(F.Offset == 0 ? one + scales.Least(_rows.Sums(row)) : one, row, column, columns, apart);
        }
    }

    private readonly void Put(Vector128<float> sums, int row, int column, int columns, int apart)
    {
        sums *= (float)_product.Alpha;
        for (int j = 0; j < columns; j++, column += apart)
        {
            Merging.Write(_product, (float*)(_product.Y + (row * _product.YRow) + (column * _product.YColumn)), sums[j], row, column);
        }
    }

    private readonly nint Next(int place, int columns, int apart) => Math.Min(place, columns - 1) * apart * _product.BColumn;

    private readonly void Unpack<F>(byte* blocks, byte* target)
        where F : struct, IByteUnit
    {
        for (int unit = 0; unit < Units; unit++, blocks += F.Bytes, target += Unit)
        {
            F.Load(blocks).Store(target);
        }
    }
}
