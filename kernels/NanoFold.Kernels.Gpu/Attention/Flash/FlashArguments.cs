using System.Runtime.InteropServices;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash;

/// <summary>What the flash attention kernels are launched with. Addresses and strides are in bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FlashArguments
{
    public FlashTensor Q, K, V, Y, DY, DQ, DK, DV, Documents;

    /// <summary>[B, H, T].</summary>
    public long LogSumExp;

    /// <summary>Log-sum-exps in bits and delta, [B, H, RowLength] each; see <see cref="DeltaWork{T}"/>.</summary>
    public long Bits, Delta;

    public int Time, Keys, RowLength;

    /// <summary>Position of query 0; far behind all keys where attention is not causal.</summary>
    public int Shift;

    /// <summary>Larger than any position where there is none.</summary>
    public int Window;

    public int Sinks;

    /// <summary>D, at most that of the kernel.</summary>
    public int Depth;

    public int Heads, KeyHeads, GroupHeads;

    public int AccumulateQ, AccumulateK, AccumulateV;

    public float Scale;

    /// <summary>Scale · log2 e: scores in bits.</summary>
    public float BitScale;

    /// <summary>Reads the field called <paramref name="field"/>.</summary>
    public static Reg Read(PtxWriter w, RegKind kind, string field) => w.Argument(kind, (int)Marshal.OffsetOf<FlashArguments>(field));

    /// <summary>Reads an integer.</summary>
    public static Reg Read(PtxWriter w, string field) => Read(w, RegKind.B32, field);
}
