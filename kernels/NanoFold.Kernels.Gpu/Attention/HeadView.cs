using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Attention;

/// <summary>A [B, T, H, D] tensor as kernels walk it: its memory and strides in elements; rows of D are contiguous.</summary>
internal struct HeadView<T>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> Memory;
    public long Batch, Time, Head;
    public int Depth;

    /// <summary>Rows can be read and written four elements at once.</summary>
    public int IsFlat;

    public readonly bool IsNone => Depth == 0;

    public static HeadView<T> Of(GpuContext context, in View view) => view.IsNone ? new() { Memory = context.View<T>(view) } : new()
    {
        Memory = context.View<T>(view),
        Batch = view.Layout.Stride(0),
        Time = view.Layout.Stride(1),
        Head = view.Layout.Stride(2),
        Depth = view.Layout[3],
        IsFlat = Vectors.HasFlatRows(view) ? 1 : 0,
    };

    /// <summary>Element where a row begins.</summary>
    public readonly long Row(int batch, int time, int head) => batch * Batch + time * Time + head * Head;

    /// <summary>Elements column .. column + 3 of the row at <paramref name="row"/>, zeros past its end. column is a multiple of four.</summary>
    public readonly Vector4<float> Read(long row, int column)
    {
        Vector4<float> values = default;
        if (IsFlat != 0)
        {
            if (column < Depth)
            {
                Vector4<T> four = Memory.Cast<Vector4<T>>()[(row + column) / 4];
                values.A = T.Read(four.A);
                values.B = T.Read(four.B);
                values.C = T.Read(four.C);
                values.D = T.Read(four.D);
            }

            return values;
        }

        long at = row + column;
        values.A = column < Depth ? T.Read(Memory[at]) : 0;
        values.B = column + 1 < Depth ? T.Read(Memory[at + 1]) : 0;
        values.C = column + 2 < Depth ? T.Read(Memory[at + 2]) : 0;
        values.D = column + 3 < Depth ? T.Read(Memory[at + 3]) : 0;
        return values;
    }

    /// <summary>Writes, or adds, scale · values at columns column .. column + 3 of a row; nothing past its end.</summary>
    public readonly void Write(long row, int column, in Vector4<float> values, float scale, int accumulate)
    {
        if (column < Depth && IsFlat != 0)
        {
            ArrayView<Vector4<T>> fours = Memory.Cast<Vector4<T>>();
            long four = (row + column) / 4;
            Vector4<T> old = default;
            if (accumulate != 0)
            {
                old = fours[four];
            }

            Vector4<T> result;
            result.A = Sum(old.A, values.A * scale, accumulate);
            result.B = Sum(old.B, values.B * scale, accumulate);
            result.C = Sum(old.C, values.C * scale, accumulate);
            result.D = Sum(old.D, values.D * scale, accumulate);
            fours[four] = result;
        }
        else
        {
            One(row, column, values.A * scale, accumulate);
            One(row, column + 1, values.B * scale, accumulate);
            One(row, column + 2, values.C * scale, accumulate);
            One(row, column + 3, values.D * scale, accumulate);
        }
    }

    private readonly void One(long row, int column, float value, int accumulate)
    {
        if (column < Depth)
        {
            long at = row + column;
            Memory[at] = T.Write(accumulate != 0 ? T.Read(Memory[at]) + value : value);
        }
    }

    private static T Sum(T old, float value, int accumulate) => T.Write(accumulate != 0 ? T.Read(old) + value : value);
}
