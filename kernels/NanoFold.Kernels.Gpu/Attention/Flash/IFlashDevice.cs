namespace NanoFold.Kernels.Gpu.Attention.Flash;

/// <summary>What runs flash attention's kernels: a card, or in tests a machine that runs their text.</summary>
internal interface IFlashDevice
{
    /// <summary>Address of a view's first element; 0 for none.</summary>
    long Pointer(in View view);

    void Launch(in FlashSpec spec, in FlashArguments arguments, int gridX, int gridY);
}
