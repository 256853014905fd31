using System.Runtime.CompilerServices;

namespace NanoFold.Kernels.Cpu.MatMul.Tiles;

/// <summary>8 rows by 2 vectors: 16 sums, for the 32 registers and four FMA units of 64-bit Arm.</summary>
internal unsafe struct Tile8x2<O, V> : ITile<V>
    where O : struct, IVectorOps<V>
    where V : struct
{
    private V _s00, _s01, _s10, _s11, _s20, _s21, _s30, _s31;
    private V _s40, _s41, _s50, _s51, _s60, _s61, _s70, _s71;

    public static int Rows => 8;

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
        value = O.Splat(last);
        _s60 = O.MultiplyAdd(value, b0, _s60);
        _s61 = O.MultiplyAdd(value, b1, _s61);
        value = O.Splat(last + row);
        _s70 = O.MultiplyAdd(value, b0, _s70);
        _s71 = O.MultiplyAdd(value, b1, _s71);
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
        y += yRow;
        Tile.Write<O, V>(y, _s60, scale, accumulate);
        Tile.Write<O, V>(y + O.Bytes, _s61, scale, accumulate);
        y += yRow;
        Tile.Write<O, V>(y, _s70, scale, accumulate);
        Tile.Write<O, V>(y + O.Bytes, _s71, scale, accumulate);
    }
}

/// <summary>8 rows by 1 vector: the narrow form of <see cref="Tile8x2{O, V}"/>.</summary>
internal unsafe struct Tile8x1<O, V> : ITile<V>
    where O : struct, IVectorOps<V>
    where V : struct
{
    private V _s0, _s1, _s2, _s3, _s4, _s5, _s6, _s7;

    public static int Rows => 8;

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
        value = O.Splat(last);
        _s6 = O.MultiplyAdd(value, b0, _s6);
        value = O.Splat(last + row);
        _s7 = O.MultiplyAdd(value, b0, _s7);
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
        y += yRow;
        Tile.Write<O, V>(y, _s6, scale, accumulate);
        y += yRow;
        Tile.Write<O, V>(y, _s7, scale, accumulate);
    }
}
