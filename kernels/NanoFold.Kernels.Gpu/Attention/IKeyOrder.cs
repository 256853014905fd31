using ILGPU;

namespace NanoFold.Kernels.Gpu.Attention;

/// <summary>Where the i-th key of a row of weights lies.</summary>
internal interface IKeyOrder
{
    int At(int index);
}

/// <summary>Keys by a list of their indices.</summary>
internal struct ListedKeys : IKeyOrder
{
    public ArrayView<int> Keys;

    public readonly int At(int index) => Keys[index];
}
