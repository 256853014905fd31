using ILGPU;

namespace NanoFold.Kernels.Gpu.Sorting;

/// <summary>The digit of keys that a pass sorts by.</summary>
internal struct SortDigit
{
    public ArrayView<int> Keys;
    public int Count;

    /// <summary>Keys outside of [0, Limit) count as Limit: they go last.</summary>
    public int Limit;
    public int Shift, Mask;

    /// <summary>Number of digits; keys with a larger one are left out.</summary>
    public int Digits;

    public static int Key(in SortDigit digit, int i)
    {
        int key = digit.Keys[i];
        return key < 0 || key > digit.Limit ? digit.Limit : key;
    }

    /// <summary>−1 behind the last key.</summary>
    public static int Of(in SortDigit digit, int i) => i < digit.Count ? (Key(digit, i) >> digit.Shift) & digit.Mask : -1;
}
