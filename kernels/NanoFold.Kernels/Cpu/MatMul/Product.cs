using System.Numerics;
using System.Runtime.CompilerServices;

namespace NanoFold.Kernels.Cpu.MatMul;

/// <summary>One product y = alpha · a · b (+ y) (+ bias) (+ residual) in addresses; all strides in bytes, transpositions are in the strides.</summary>
internal unsafe struct Product
{
    public byte* A;
    public nint ARow;
    public nint AStep;

    public byte* B;
    public nint BStep;
    public nint BColumn;

    /// <summary>The type of b where it has one of files, see <see cref="Backend.ReadsWeights"/>: its columns are then rows of adjacent elements, whatever BStep; otherwise y's.</summary>
    public DType Stored;

    public byte* Y;
    public nint YRow;
    public nint YColumn;

    public int Rows;
    public int Columns;
    public int Depth;

    public double Alpha;
    public bool Accumulate;

    /// <summary>y is symmetric: what lies above its diagonal may be mirrored.</summary>
    public bool IsSymmetric;

    public Addend Bias;
    public Addend Residual;

    public readonly double Flops => 2.0 * Rows * Columns * Depth;

    public readonly bool IsStored => Stored != DType.Float32;

    public readonly bool HasAddend => !Bias.IsNone || !Residual.IsNone;

    /// <summary>Some of its rows.</summary>
    public readonly Product Part(int first, int rows)
    {
        Product part = this;
        part.A += first * ARow;
        part.Y += first * YRow;
        part.Rows = rows;
        part.Bias.Pointer = Bias.IsNone ? null : Bias.At(first, 0);
        part.Residual.Pointer = Residual.IsNone ? null : Residual.At(first, 0);
        return part;
    }

    /// <summary>The same product seen as yᵀ = bᵀ · aᵀ.</summary>
    public readonly Product Transposed()
    {
        Product other = this;
        other.A = B;
        other.B = A;
        (other.ARow, other.AStep) = (BColumn, BStep);
        (other.BColumn, other.BStep) = (ARow, AStep);
        (other.YRow, other.YColumn) = (YColumn, YRow);
        (other.Rows, other.Columns) = (Columns, Rows);
        other.Bias = Bias.Transposed();
        other.Residual = Residual.Transposed();
        return other;
    }
}

/// <summary>What is added to y once: a bias has row stride 0. Strides in bytes.</summary>
internal unsafe struct Addend
{
    public byte* Pointer;
    public nint Row;
    public nint Column;

    public readonly bool IsNone => Pointer is null;

    public readonly Addend Transposed() => new() { Pointer = Pointer, Row = Column, Column = Row };

    public readonly byte* At(nint row, nint column) => Pointer + row * Row + column * Column;
}

/// <summary>How a sum that was formed beside y gets into it, element by element.</summary>
internal static unsafe class Merging
{
    /// <summary>y = value (+ y), and with the last part of the sum (+ bias) (+ residual); y is added to unless this is the first part.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write<T>(in Product product, T* y, T value, int row, int column, bool first = true, bool last = true)
        where T : unmanaged, INumberBase<T>
    {
        T sum = first && !product.Accumulate ? value : *y + value;
        if (last && !product.Bias.IsNone)
        {
            sum += *(T*)product.Bias.At(row, column);
        }

        if (last && !product.Residual.IsNone)
        {
            sum += *(T*)product.Residual.At(row, column);
        }

        *y = sum;
    }
}
