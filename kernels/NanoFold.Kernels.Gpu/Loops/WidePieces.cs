using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Loops;

/// <summary>
/// Two neighboring pieces of a row a lane, of elements of 16 bits: loaded and stored as 16 bytes at once. Of a tile's lanes each has the pieces at 2 · lane and 2 · lane + 1 from the tile's first one on.
/// Rows are multiples of eight elements, and begin at multiples of eight.
/// </summary>
internal readonly struct WidePieces(Float4 first, Float4 second) : IRegisterTile<WidePieces>
{
    private readonly Float4 _first = first, _second = second;

    public static int Count => 2;

    public static WidePieces All(float value) => new(Float4.All(value), Float4.All(value));

    public static WidePieces Load<T, TPiece>(ArrayView<T> x, long row, int index, int lanes, int width)
        where T : unmanaged, IElement<T>
        where TPiece : struct, IPiece
    {
        // Without a branch: a thread past the end reads the row's first pieces, and drops them.
        int piece = First(index, lanes);
        bool isInside = 4 * piece < width;
        Vector4<uint> words = x.Cast<Vector4<uint>>()[(row + (isInside ? 4 * piece : 0)) >> 3];
        var first = new Float4(T.ReadLow(words.A), T.ReadHigh(words.A), T.ReadLow(words.B), T.ReadHigh(words.B));
        var second = new Float4(T.ReadLow(words.C), T.ReadHigh(words.C), T.ReadLow(words.D), T.ReadHigh(words.D));
        return new(isInside ? first : default, isInside ? second : default);
    }

    public static void Store<T, TPiece>(ArrayView<T> y, long row, int index, int lanes, int width, WidePieces value)
        where T : unmanaged, IElement<T>
        where TPiece : struct, IPiece
    {
        int piece = First(index, lanes);
        if (4 * piece < width)
        {
            y.Cast<Vector4<uint>>()[(row + (4L * piece)) >> 3] = new()
            {
                A = T.WritePair(value._first.A, value._first.B),
                B = T.WritePair(value._first.C, value._first.D),
                C = T.WritePair(value._second.A, value._second.B),
                D = T.WritePair(value._second.C, value._second.D),
            };
        }
    }

    public static void StoreSum(ArrayView<Float4> shared, ArrayView<F32> y, long row, int index, int lanes, int width, WidePieces value)
    {
        int piece = First(index, lanes);
        RegisterPiece.StoreSum(shared, y, row, piece, lanes, width, new RegisterPiece(value._first));
        RegisterPiece.StoreSum(shared, y, row, piece + 1, lanes, width, new RegisterPiece(value._second));
    }

    public static WidePieces Centered(WidePieces x, float mean, int index, int lanes, int width)
    {
        int left = width - (4 * First(index, lanes));
        return new(Float4.Centered(x._first, mean, left), Float4.Centered(x._second, mean, left - 4));
    }

    public static float Sum(WidePieces x) => Float4.Sum(x._first) + Float4.Sum(x._second);

    public static float Dot(WidePieces x, WidePieces y) => Float4.Dot(x._first, y._first) + Float4.Dot(x._second, y._second);

    public static WidePieces operator +(WidePieces x, WidePieces y) => new(x._first + y._first, x._second + y._second);

    public static WidePieces operator +(WidePieces x, float y) => new(x._first + y, x._second + y);

    public static WidePieces operator *(WidePieces x, WidePieces y) => new(x._first * y._first, x._second * y._second);

    public static WidePieces operator *(WidePieces x, float y) => new(x._first * y, x._second * y);

    // A tile begins at a multiple of the lanes, which are a power of two.
    private static int First(int index, int lanes) => index + (index & (lanes - 1));
}
