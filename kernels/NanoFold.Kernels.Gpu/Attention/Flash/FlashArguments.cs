using System.Runtime.InteropServices;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash;

/// <summary>What the flash attention kernels are launched with. Addresses and strides are in bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FlashArguments
{
    public FlashTensor Q, K, V, Y, DY, DQ, DK, DV;

    /// <summary>[B, S], what <see cref="DocumentReach"/> left of it, and prefixes [B]; 0 where there are none.</summary>
    public long Documents, Reach, Prefixes;

    /// <summary>[B, H, T].</summary>
    public long LogSumExp;

    /// <summary>Log-sum-exps in bits and delta, [B, H, RowLength] each; see <see cref="DeltaWork{T}"/>.</summary>
    public long Bits, Delta;

    public int Time, Keys, RowLength;

    /// <summary>Position of query 0.</summary>
    public int Shift;

    /// <summary>As in <see cref="VisibleRule"/>; the prefix where it is no data.</summary>
    public int Prefix, Window, Sinks;

    /// <summary>Units of a row of <see cref="Reach"/>.</summary>
    public int ReachUnits;

    /// <summary>D, at most that of the kernel.</summary>
    public int Depth;

    public int Heads, KeyHeads, GroupHeads;

    public int AccumulateQ, AccumulateK, AccumulateV;

    public float Scale;

    /// <summary>Scale · log2 e: scores in bits.</summary>
    public float BitScale;

    /// <summary>Of <see cref="FlashGradients"/>: dq's sums, and whose turn it is (<see cref="FlashTurns"/>).</summary>
    public long Sums, Turns;

    /// <summary>Blocks of queries and of keys.</summary>
    public int QueryBlocks, KeyBlocks;

    /// <summary>Where there is a <see cref="FlashRotation"/>: cosines and sines of positions, and the position that each row of a batch begins at.</summary>
    public long Table, Positions;

    /// <summary>Bytes between rows of the table, and its last one.</summary>
    public int TableStride, LastPosition;

    /// <summary>Reads the field called <paramref name="field"/>.</summary>
    public static Reg Read(PtxWriter w, RegKind kind, string field) => w.Argument(kind, (int)Marshal.OffsetOf<FlashArguments>(field));

    /// <summary>Reads an integer.</summary>
    public static Reg Read(PtxWriter w, string field) => Read(w, RegKind.B32, field);
}

/// <summary>A [B, T, H, D] tensor: its address and strides, in bytes; rows of D are contiguous.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FlashTensor
{
    public long Address, Batch;
    public int Time, Head;

    /// <param name="address">Of the view's first element.</param>
    /// <param name="view">[B, T, H, D], or none.</param>
    public static FlashTensor Of(long address, in View view)
    {
        if (view.IsNone)
        {
            return default;
        }

        int size = view.Type.Size();
        return new()
        {
            Address = address,
            Batch = view.Layout.Stride(0) * size,
            Time = checked((int)(view.Layout.Stride(1) * size)),
            Head = checked((int)(view.Layout.Stride(2) * size)),
        };
    }

    /// <summary>Address of a head's first row.</summary>
    public static Reg Rows(PtxWriter w, string tensor, Reg batch, Reg head) => w.MadWide(head, HeadStride(w, tensor), Heads(w, tensor, batch));

    /// <summary>Address of head 0's first row.</summary>
    public static Reg Heads(PtxWriter w, string tensor, Reg batch)
    {
        Reg address = Field(w, RegKind.B64, tensor, nameof(Address)), step = Field(w, RegKind.B64, tensor, nameof(Batch));
        return w.Mad(w.Widen(batch), step, address);
    }

    /// <summary>Bytes between heads.</summary>
    public static Reg HeadStride(PtxWriter w, string tensor) => Field(w, RegKind.B32, tensor, nameof(Head));

    /// <summary>Bytes between neighbors in time.</summary>
    public static Reg Stride(PtxWriter w, string tensor) => Field(w, RegKind.B32, tensor, nameof(Time));

    private static Reg Field(PtxWriter w, RegKind kind, string tensor, string field)
        => w.Argument(kind, (int)Marshal.OffsetOf<FlashArguments>(tensor) + (int)Marshal.OffsetOf<FlashTensor>(field));
}
