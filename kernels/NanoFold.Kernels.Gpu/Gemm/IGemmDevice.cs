namespace NanoFold.Kernels.Gpu.Gemm;

/// <summary>What runs kernels of products: a card, or in tests a machine that runs their text.</summary>
internal interface IGemmDevice
{
    /// <summary>Address of as many bytes that nobody else uses until the calls that follow are done; aligned to 256.</summary>
    long Scratch(long bytes);

    void Launch(in GemmKernelKey key, in GemmArguments arguments, int gridX, int gridY, int gridZ);
}
