using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Loops;

/// <summary>The pieces of <typeparamref name="TFirst"/> and, behind them, those of <typeparamref name="TSecond"/>.</summary>
internal readonly struct MorePieces<TFirst, TSecond>(TFirst first, TSecond second) : IPieces<MorePieces<TFirst, TSecond>>
    where TFirst : struct, IPieces<TFirst>
    where TSecond : struct, IPieces<TSecond>
{
    private readonly TFirst _first = first;
    private readonly TSecond _second = second;

    public static int Count => TFirst.Count + TSecond.Count;

    public static MorePieces<TFirst, TSecond> All(float value) => new(TFirst.All(value), TSecond.All(value));

    public static MorePieces<TFirst, TSecond> Load<T, TPiece>(ArrayView<T> x, long row, int index, int lanes, int width)
        where T : unmanaged, IElement<T>
        where TPiece : struct, IPiece
        => new(TFirst.Load<T, TPiece>(x, row, index, lanes, width), TSecond.Load<T, TPiece>(x, row, Behind(index, lanes), lanes, width));

    public static void Store<T, TPiece>(ArrayView<T> y, long row, int index, int lanes, int width, MorePieces<TFirst, TSecond> value)
        where T : unmanaged, IElement<T>
        where TPiece : struct, IPiece
    {
        TFirst.Store<T, TPiece>(y, row, index, lanes, width, value._first);
        TSecond.Store<T, TPiece>(y, row, Behind(index, lanes), lanes, width, value._second);
    }

    public static void StoreSum(ArrayView<Quad> shared, ArrayView<F32> y, long row, int index, int lanes, int width, MorePieces<TFirst, TSecond> value)
    {
        TFirst.StoreSum(shared, y, row, index, lanes, width, value._first);
        TSecond.StoreSum(shared, y, row, Behind(index, lanes), lanes, width, value._second);
    }

    public static MorePieces<TFirst, TSecond> Centered(MorePieces<TFirst, TSecond> x, float mean, int index, int lanes, int width) => new(
        TFirst.Centered(x._first, mean, index, lanes, width), TSecond.Centered(x._second, mean, Behind(index, lanes), lanes, width));

    public static float Sum(MorePieces<TFirst, TSecond> x) => TFirst.Sum(x._first) + TSecond.Sum(x._second);

    public static float Dot(MorePieces<TFirst, TSecond> x, MorePieces<TFirst, TSecond> y) => TFirst.Dot(x._first, y._first) + TSecond.Dot(x._second, y._second);

    public static MorePieces<TFirst, TSecond> operator +(MorePieces<TFirst, TSecond> x, MorePieces<TFirst, TSecond> y)
        => new(x._first + y._first, x._second + y._second);

    public static MorePieces<TFirst, TSecond> operator +(MorePieces<TFirst, TSecond> x, float y) => new(x._first + y, x._second + y);

    public static MorePieces<TFirst, TSecond> operator *(MorePieces<TFirst, TSecond> x, MorePieces<TFirst, TSecond> y)
        => new(x._first * y._first, x._second * y._second);

    public static MorePieces<TFirst, TSecond> operator *(MorePieces<TFirst, TSecond> x, float y) => new(x._first * y, x._second * y);

    private static int Behind(int index, int lanes) => index + TFirst.Count * lanes;
}
