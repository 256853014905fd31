using NanoFold.Kernels.Gpu.Gemm;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Acceptance;

/// <summary>What checks run on: a card, or in tests a machine that runs the text of kernels.</summary>
internal interface ICheckDevice : IGemmDevice
{
    /// <summary>Compute capability that kernels are written for.</summary>
    int Architecture { get; }

    /// <summary>Whether kernels from now on give up waiting: see <see cref="PtxWatch"/>.</summary>
    bool IsWatched { set; }

    /// <summary>Address of as many bytes, all of them 255: NaN in every type. Aligned to 256; given back with the device.</summary>
    long Allocate(long bytes);

    void Write(long address, ReadOnlySpan<byte> values);

    /// <summary>Waits for what was launched, then reads.</summary>
    /// <exception cref="InvalidOperationException">A kernel failed; where it is known, what it waited for.</exception>
    void Read(long address, Span<byte> values);

    /// <summary>Runs a kernel that is no product.</summary>
    void Run<T>(PtxProgram program, in T arguments, int blocks, int blocksY = 1)
        where T : unmanaged;
}
