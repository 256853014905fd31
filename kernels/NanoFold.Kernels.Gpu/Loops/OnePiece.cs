using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Loops;

/// <summary>One piece of a row a lane.</summary>
internal readonly struct OnePiece(Quad value) : IPieces<OnePiece>
{
    private readonly Quad _value = value;

    public static int Count => 1;

    public static OnePiece All(float value) => new(Quad.All(value));

    public static OnePiece Load<T, TPiece>(ArrayView<T> x, long row, int index, int lanes, int width)
        where T : unmanaged, IElement<T>
        where TPiece : struct, IPiece
        => new(TPiece.Load(x, row, index, width));

    public static void Store<T, TPiece>(ArrayView<T> y, long row, int index, int lanes, int width, OnePiece value)
        where T : unmanaged, IElement<T>
        where TPiece : struct, IPiece
        => TPiece.Store(y, row, index, width, value._value);

    public static void StoreSum(ArrayView<Quad> shared, ArrayView<F32> y, long row, int index, int lanes, int width, OnePiece value)
    {
        Quad sum = value._value;
        Group.Barrier();
        shared[Group.IdxX] = sum;
        Group.Barrier();
        if (Group.IdxX < lanes)
        {
            for (int i = Group.IdxX + lanes; i < Group.DimX; i += lanes)
            {
                sum += shared[i];
            }

            AnyPiece.Store(y, row, index, width, sum);
        }
    }

    public static OnePiece Centered(OnePiece x, float mean, int index, int lanes, int width) => new(Quad.Centered(x._value, mean, width - 4 * index));

    public static float Sum(OnePiece x) => Quad.Sum(x._value);

    public static float Dot(OnePiece x, OnePiece y) => Quad.Dot(x._value, y._value);

    public static OnePiece operator +(OnePiece x, OnePiece y) => new(x._value + y._value);

    public static OnePiece operator +(OnePiece x, float y) => new(x._value + y);

    public static OnePiece operator *(OnePiece x, OnePiece y) => new(x._value * y._value);

    public static OnePiece operator *(OnePiece x, float y) => new(x._value * y);
}
