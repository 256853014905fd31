using System.Runtime.CompilerServices;

namespace NanoFold.Kernels.Cpu.MatMul.Tiles;

/// <summary>4 rows by 2 vectors: for what is left below the 6-row panels.</summary>
internal unsafe struct Tile4x2<O, V> : ITile<V>
    where O : struct, IVectorOps<V>
    where V : struct
{
    private V _s00, _s01, _s10, _s11, _s20, _s21, _s30, _s31;

    public static int Rows => 4;

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
    }
}

/// <summary>4 rows by 1 vector: the corner.</summary>
internal unsafe struct Tile4x1<O, V> : ITile<V>
    where O : struct, IVectorOps<V>
    where V : struct
{
    private V _s0, _s1, _s2, _s3;

    public static int Rows => 4;

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
    }
}
