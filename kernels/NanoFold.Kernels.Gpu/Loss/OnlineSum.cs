using ILGPU;
using ILGPU.Algorithms;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Loss;

/// <summary>Σ e^(x − most) over what was seen so far, beside the largest of it.</summary>
internal struct OnlineSum
{
    /// <summary>Less than any logit but −∞, and no infinity: a difference to it is a number.</summary>
    public const float Least = float.MinValue;

    public float Most, Sum;

    public static OnlineSum Add(OnlineSum s, float x)
    {
        s = Raise(s, x);
        s.Sum += XMath.Exp(x - s.Most);
        return s;
    }

    public static OnlineSum Add(OnlineSum s, Quad x)
    {
        s = Raise(s, Largest(x));
        s.Sum += Exponentials(x, s.Most);
        return s;
    }

    public static OnlineSum Add(OnlineSum s, Quad a, Quad b, Quad c, Quad d)
    {
        s = Raise(s, IntrinsicMath.Max(IntrinsicMath.Max(Largest(a), Largest(b)), IntrinsicMath.Max(Largest(c), Largest(d))));
        s.Sum += Exponentials(a, s.Most) + Exponentials(b, s.Most) + (Exponentials(c, s.Most) + Exponentials(d, s.Most));
        return s;
    }

    private static OnlineSum Raise(OnlineSum s, float x)
    {
        if (x > s.Most)
        {
            s.Sum *= XMath.Exp(s.Most - x);
            s.Most = x;
        }

        return s;
    }

    private static float Largest(Quad x) => IntrinsicMath.Max(IntrinsicMath.Max(x.A, x.B), IntrinsicMath.Max(x.C, x.D));

    private static float Exponentials(Quad x, float most) => XMath.Exp(x.A - most) + XMath.Exp(x.B - most) + (XMath.Exp(x.C - most) + XMath.Exp(x.D - most));
}
