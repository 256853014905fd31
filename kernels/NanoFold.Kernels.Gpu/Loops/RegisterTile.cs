using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Loops;

/// <summary>
/// The pieces of a row that one lane keeps in registers: those at index, index + lanes, index + 2 lanes and so on. How many is known when a kernel
/// is compiled, so that loops over them are unrolled: loads of all of them are under way together.
/// </summary>
internal interface IRegisterTile<TSelf>
    where TSelf : struct, IRegisterTile<TSelf>
{
    /// <summary>How many.</summary>
    static abstract int Count { get; }

    static abstract TSelf All(float value);

    static abstract TSelf Load<T, TPiece>(ArrayView<T> x, long row, int index, int lanes, int width)
        where T : unmanaged, IElement<T>
        where TPiece : struct, IPiece;

    static abstract void Store<T, TPiece>(ArrayView<T> y, long row, int index, int lanes, int width, TSelf value)
        where T : unmanaged, IElement<T>
        where TPiece : struct, IPiece;

    /// <summary>Adds up what the runs of a group have, in their order, and stores it; all threads call.</summary>
    static abstract void StoreSum(ArrayView<Float4> shared, ArrayView<F32> y, long row, int index, int lanes, int width, TSelf value);

    /// <summary>x − mean in the elements of the row, 0 past its end.</summary>
    static abstract TSelf Centered(TSelf x, float mean, int index, int lanes, int width);

    static abstract float Sum(TSelf x);

    static abstract float Dot(TSelf x, TSelf y);

    static abstract TSelf operator +(TSelf x, TSelf y);

    static abstract TSelf operator +(TSelf x, float y);

    static abstract TSelf operator *(TSelf x, TSelf y);

    static abstract TSelf operator *(TSelf x, float y);
}

/// <summary>One piece of a row a lane.</summary>
internal readonly struct RegisterPiece(Float4 value) : IRegisterTile<RegisterPiece>
{
    private readonly Float4 _value = value;

    public static int Count => 1;

    public static RegisterPiece All(float value) => new(Float4.All(value));

    public static RegisterPiece Load<T, TPiece>(ArrayView<T> x, long row, int index, int lanes, int width)
        where T : unmanaged, IElement<T>
        where TPiece : struct, IPiece
        => new(TPiece.Load(x, row, index, width));

    public static void Store<T, TPiece>(ArrayView<T> y, long row, int index, int lanes, int width, RegisterPiece value)
        where T : unmanaged, IElement<T>
        where TPiece : struct, IPiece
        => TPiece.Store(y, row, index, width, value._value);

    public static void StoreSum(ArrayView<Float4> shared, ArrayView<F32> y, long row, int index, int lanes, int width, RegisterPiece value)
    {
        Float4 sum = value._value;
        Group.Barrier();
        shared[Group.IdxX] = sum;
        Group.Barrier();
        if (Group.IdxX < lanes)
        {
            for (int i = Group.IdxX + lanes; i < Group.DimX; i += lanes)
            {
                sum += shared[i];
            }

            RaggedPiece.Store(y, row, index, width, sum);
        }
    }

    public static RegisterPiece Centered(RegisterPiece x, float mean, int index, int lanes, int width) => new(Float4.Centered(x._value, mean, width - 4 * index));

    public static float Sum(RegisterPiece x) => Float4.Sum(x._value);

    public static float Dot(RegisterPiece x, RegisterPiece y) => Float4.Dot(x._value, y._value);

    public static RegisterPiece operator +(RegisterPiece x, RegisterPiece y) => new(x._value + y._value);

    public static RegisterPiece operator +(RegisterPiece x, float y) => new(x._value + y);

    public static RegisterPiece operator *(RegisterPiece x, RegisterPiece y) => new(x._value * y._value);

    public static RegisterPiece operator *(RegisterPiece x, float y) => new(x._value * y);
}

/// <summary>The pieces of <typeparamref name="TFirst"/> and, after them, those of <typeparamref name="TSecond"/>.</summary>
internal readonly struct RegisterTile<TFirst, TSecond>(TFirst first, TSecond second) : IRegisterTile<RegisterTile<TFirst, TSecond>>
    where TFirst : struct, IRegisterTile<TFirst>
    where TSecond : struct, IRegisterTile<TSecond>
{
    private readonly TFirst _first = first;
    private readonly TSecond _second = second;

    public static int Count => TFirst.Count + TSecond.Count;

    public static RegisterTile<TFirst, TSecond> All(float value) => new(TFirst.All(value), TSecond.All(value));

    public static RegisterTile<TFirst, TSecond> Load<T, TPiece>(ArrayView<T> x, long row, int index, int lanes, int width)
        where T : unmanaged, IElement<T>
        where TPiece : struct, IPiece
        => new(TFirst.Load<T, TPiece>(x, row, index, lanes, width), TSecond.Load<T, TPiece>(x, row, After(index, lanes), lanes, width));

    public static void Store<T, TPiece>(ArrayView<T> y, long row, int index, int lanes, int width, RegisterTile<TFirst, TSecond> value)
        where T : unmanaged, IElement<T>
        where TPiece : struct, IPiece
    {
        TFirst.Store<T, TPiece>(y, row, index, lanes, width, value._first);
        TSecond.Store<T, TPiece>(y, row, After(index, lanes), lanes, width, value._second);
    }

    public static void StoreSum(ArrayView<Float4> shared, ArrayView<F32> y, long row, int index, int lanes, int width, RegisterTile<TFirst, TSecond> value)
    {
        TFirst.StoreSum(shared, y, row, index, lanes, width, value._first);
        TSecond.StoreSum(shared, y, row, After(index, lanes), lanes, width, value._second);
    }

    public static RegisterTile<TFirst, TSecond> Centered(RegisterTile<TFirst, TSecond> x, float mean, int index, int lanes, int width) => new(
        TFirst.Centered(x._first, mean, index, lanes, width), TSecond.Centered(x._second, mean, After(index, lanes), lanes, width));

    public static float Sum(RegisterTile<TFirst, TSecond> x) => TFirst.Sum(x._first) + TSecond.Sum(x._second);

    public static float Dot(RegisterTile<TFirst, TSecond> x, RegisterTile<TFirst, TSecond> y) => TFirst.Dot(x._first, y._first) + TSecond.Dot(x._second, y._second);

    public static RegisterTile<TFirst, TSecond> operator +(RegisterTile<TFirst, TSecond> x, RegisterTile<TFirst, TSecond> y)
        => new(x._first + y._first, x._second + y._second);

    public static RegisterTile<TFirst, TSecond> operator +(RegisterTile<TFirst, TSecond> x, float y) => new(x._first + y, x._second + y);

    public static RegisterTile<TFirst, TSecond> operator *(RegisterTile<TFirst, TSecond> x, RegisterTile<TFirst, TSecond> y)
        => new(x._first * y._first, x._second * y._second);

    public static RegisterTile<TFirst, TSecond> operator *(RegisterTile<TFirst, TSecond> x, float y) => new(x._first * y, x._second * y);

    private static int After(int index, int lanes) => index + TFirst.Count * lanes;
}
