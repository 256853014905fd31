using System.Runtime.CompilerServices;

namespace NanoFold.Kernels.Cpu.MatMul.Tiles;

/// <summary>6 rows by 2 vectors: 12 sums, 2 vectors of b and one of a fill the 16 registers of AVX2 and SSE; enough independent sums for two FMA units.</summary>
internal unsafe struct Tile6x2<O, V> : ITile<V>
    where O : struct, IVectorOps<V>
    where V : struct
{
    private V _s00, _s01, _s10, _s11, _s20, _s21, _s30, _s31;
    private V _s40, _s41, _s50, _s51;

    public static int Rows => 6;

    public static int Vectors => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Step(byte* x, byte* low, byte* last, nint row, byte* b)
    {
        V b0 = O.Load(b);
        V b1 = O.Load(b + O.Bytes);
        V value = O.Splat(x);
        _s00 = O.MultiplyAdd(value, b0, _s00);
        _s01 = O.MultiplyAdd(value, b1, _s01);
        value = O.Splat(x + row);
        _s10 = O.MultiplyAdd(value, b0, _s10);
        _s11 = O.MultiplyAdd(value, b1, _s11);
        value = O.Splat(x + 2 * row);
        _s20 = O.MultiplyAdd(value, b0, _s20);
        _s21 = O.MultiplyAdd(value, b1, _s21);
        value = O.Splat(low);
        _s30 = O.MultiplyAdd(value, b0, _s30);
        _s31 = O.MultiplyAdd(value, b1, _s31);
        value = O.Splat(low + row);
        _s40 = O.MultiplyAdd(value, b0, _s40);
        _s41 = O.MultiplyAdd(value, b1, _s41);
        value = O.Splat(low + 2 * row);
        _s50 = O.MultiplyAdd(value, b0, _s50);
        _s51 = O.MultiplyAdd(value, b1, _s51);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Write(byte* y, nint yRow, V scale, bool accumulate)
    {
        Tile.Write<O, V>(y, _s00, scale, accumulate);
        Tile.Write<O, V>(y + O.Bytes, _s01, scale, accumulate);
        y += yRow;
        Tile.Write<O, V>(y, _s10, scale, accumulate);
        Tile.Write<O, V>(y + O.Bytes, _s11, scale, accumulate);
        y += yRow;
        Tile.Write<O, V>(y, _s20, scale, accumulate);
        Tile.Write<O, V>(y + O.Bytes, _s21, scale, accumulate);
        y += yRow;
        Tile.Write<O, V>(y, _s30, scale, accumulate);
        Tile.Write<O, V>(y + O.Bytes, _s31, scale, accumulate);
        y += yRow;
        Tile.Write<O, V>(y, _s40, scale, accumulate);
        Tile.Write<O, V>(y + O.Bytes, _s41, scale, accumulate);
        y += yRow;
        Tile.Write<O, V>(y, _s50, scale, accumulate);
        Tile.Write<O, V>(y + O.Bytes, _s51, scale, accumulate);
    }
}

/// <summary>6 rows by 1 vector: for a last strip of at most one vector.</summary>
internal unsafe struct Tile6x1<O, V> : ITile<V>
    where O : struct, IVectorOps<V>
    where V : struct
{
    private V _s0, _s1, _s2, _s3, _s4, _s5;

    public static int Rows => 6;

    public static int Vectors => 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Step(byte* x, byte* low, byte* last, nint row, byte* b)
    {
        V b0 = O.Load(b);
        V value = O.Splat(x);
        _s0 = O.MultiplyAdd(value, b0, _s0);
        value = O.Splat(x + row);
        _s1 = O.MultiplyAdd(value, b0, _s1);
        value = O.Splat(x + 2 * row);
        _s2 = O.MultiplyAdd(value, b0, _s2);
        value = O.Splat(low);
        _s3 = O.MultiplyAdd(value, b0, _s3);
        value = O.Splat(low + row);
        _s4 = O.MultiplyAdd(value, b0, _s4);
        value = O.Splat(low + 2 * row);
        _s5 = O.MultiplyAdd(value, b0, _s5);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Write(byte* y, nint yRow, V scale, bool accumulate)
    {
        Tile.Write<O, V>(y, _s0, scale, accumulate);
        y += yRow;
        Tile.Write<O, V>(y, _s1, scale, accumulate);
        y += yRow;
        Tile.Write<O, V>(y, _s2, scale, accumulate);
        y += yRow;
        Tile.Write<O, V>(y, _s3, scale, accumulate);
        y += yRow;
        Tile.Write<O, V>(y, _s4, scale, accumulate);
        y += yRow;
        Tile.Write<O, V>(y, _s5, scale, accumulate);
    }
}
