using System.Runtime.InteropServices;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Acceptance;

/// <summary>What a probe is launched with: matrices that it copies by boxes, where its result goes, where it says what it waited for.</summary>
[StructLayout(LayoutKind.Explicit, Size = 320)]
internal struct ProbeArguments
{
    public const int Align = 64, AtA = 0, AtB = 128, AtY = 256, AtWatch = 264, AtX = 272;

    [FieldOffset(AtA)]
    public TensorMap A;

    [FieldOffset(AtB)]
    public TensorMap B;

    [FieldOffset(AtY)]
    public long Y;

    [FieldOffset(AtWatch)]
    public long Watch;

    /// <summary>Where a box begins: the column, after it the row.</summary>
    [FieldOffset(AtX)]
    public int X;

    [FieldOffset(AtX + 4)]
    public int RowOfX;

    /// <summary>Begins a kernel of single blocks, or of clusters of them, that has these.</summary>
    public static PtxWriter Writer(string name, int threads, int cluster = 1)
        => new(name, 90, threads, Marshal.SizeOf<ProbeArguments>(), 1) { IsForTargetOnly = true, ParameterAlign = Align, Cluster = cluster, Watch = new PtxWatch(AtWatch) };
}
