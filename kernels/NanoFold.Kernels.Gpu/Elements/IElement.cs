namespace NanoFold.Kernels.Gpu.Elements;

/// <summary>A real number as it lies in the device's memory; kernels compute in float.</summary>
internal interface IElement<T>
    where T : unmanaged, IElement<T>
{
    static abstract float Read(T value);

    /// <summary>Rounds to nearest, ties to even.</summary>
    static abstract T Write(float value);
}
