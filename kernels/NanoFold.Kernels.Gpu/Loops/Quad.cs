using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Loops;

/// <summary>Four neighbours of a row, as floats.</summary>
internal struct Quad(float a, float b, float c, float d)
{
    public float A = a, B = b, C = c, D = d;

    public static Quad All(float value) => new(value, value, value, value);

    public static Quad Read<T>(Four<T> x)
        where T : unmanaged, IElement<T>
        => new(T.Read(x.A), T.Read(x.B), T.Read(x.C), T.Read(x.D));

    public static Four<T> Write<T>(Quad x)
        where T : unmanaged, IElement<T>
        => new() { A = T.Write(x.A), B = T.Write(x.B), C = T.Write(x.C), D = T.Write(x.D) };

    public static Quad operator +(Quad x, Quad y) => new(x.A + y.A, x.B + y.B, x.C + y.C, x.D + y.D);

    public static Quad operator -(Quad x, Quad y) => new(x.A - y.A, x.B - y.B, x.C - y.C, x.D - y.D);

    public static Quad operator *(Quad x, Quad y) => new(x.A * y.A, x.B * y.B, x.C * y.C, x.D * y.D);

    public static Quad operator *(Quad x, float y) => new(x.A * y, x.B * y, x.C * y, x.D * y);

    public static Quad operator +(Quad x, float y) => new(x.A + y, x.B + y, x.C + y, x.D + y);

    public static float Sum(Quad x) => x.A + x.B + (x.C + x.D);

    public static float Dot(Quad x, Quad y) => x.A * y.A + x.B * y.B + (x.C * y.C + x.D * y.D);

    /// <summary>x − y in the first <paramref name="count"/> of the four, 0 in those behind.</summary>
    public static Quad Centered(Quad x, float y, int count) => new(
        count > 0 ? x.A - y : 0, count > 1 ? x.B - y : 0, count > 2 ? x.C - y : 0, count > 3 ? x.D - y : 0);
}
