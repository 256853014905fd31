using System.Runtime.InteropServices;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash;

/// <summary>A [B, T, H, D] tensor: its address and strides, in bytes; rows of D are contiguous.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FlashTensor
{
    public long Address, Batch;
    public int Time, Head;

    /// <param name="address">Of the view's first element.</param>
    /// <param name="view">[B, T, H, D], or [B, T] of documents, or none.</param>
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
            Head = view.Layout.Rank > 2 ? checked((int)(view.Layout.Stride(2) * size)) : 0,
        };
    }

    /// <summary>Address of a head's first row.</summary>
    public static Reg Rows(PtxWriter w, string tensor, Reg batch, Reg head)
    {
        Reg address = Field(w, RegKind.B64, tensor, nameof(Address)), step = Field(w, RegKind.B64, tensor, nameof(Batch));
        return w.MadWide(head, Field(w, RegKind.B32, tensor, nameof(Head)), w.Mad(w.Widen(batch), step, address));
    }

    /// <summary>Bytes between neighbours in time.</summary>
    public static Reg Stride(PtxWriter w, string tensor) => Field(w, RegKind.B32, tensor, nameof(Time));

    private static Reg Field(PtxWriter w, RegKind kind, string tensor, string field)
        => w.Argument(kind, (int)Marshal.OffsetOf<FlashArguments>(tensor) + (int)Marshal.OffsetOf<FlashTensor>(field));
}
