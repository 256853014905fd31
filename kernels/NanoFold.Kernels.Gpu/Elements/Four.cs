namespace NanoFold.Kernels.Gpu.Elements;

/// <summary>Four neighbours, loaded and stored at once where they are aligned to their size.</summary>
internal struct Four<T>
    where T : unmanaged
{
    public T A;
    public T B;
    public T C;
    public T D;
}
