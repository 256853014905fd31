using NanoFold.Kernels;

namespace NanoFold.Engine.Ops;

/// <summary>Sums that stay activations: those of 16 bits are made in single precision, in scratch, and then rounded.</summary>
public static class Reduction
{
    private const long Alignment = 256;

    /// <summary>Scratch for sums that have a type and a number of elements.</summary>
    public static long ScratchBytes(DType type, long elements) => type.Is16Bit()
        ? (elements * type.Sum().Size() + Alignment - 1) / Alignment * Alignment
        : 0;

    /// <summary>y (+)= x summed over the dimensions in which y has length 1. y has the type of x or that of its sums, which needs no scratch.</summary>
    public static void Sum(Backend backend, in View x, in View y, bool accumulate, in View scratch)
    {
        if (y.Type == x.Type.Sum())
        {
            backend.Sum(x, y, accumulate);
            return;
        }

        View sums = scratch.As(x.Type.Sum(), y.Layout.Contiguous());
        backend.Sum(x, sums);
        backend.Copy(sums, y, accumulate);
    }
}
