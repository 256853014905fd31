namespace NanoFold.Kernels.Gpu.Pointwise;

/// <summary>
/// Operands of one shape that are rows of one length, each in one stretch of memory, with rows further apart in some: parts of wider rows beside whole tensors.
/// Four elements of a row can be read at once.
/// </summary>
internal static class FlatRows
{
    // Rows may be cut anywhere; there are none.
    private const long Any = 0, None = -1;

    /// <summary>The length of the rows of all operands in pieces of four; 0 where they have none in common.</summary>
    public static int Pieces(in View y, in View z, in View a, in View b, in View c)
    {
        long width = Meet(Meet(Meet(Meet(Length(y, y), Length(z, y)), Length(a, y)), Length(b, y)), Length(c, y));
        return width > 0 && width % 4 == 0 && width <= int.MaxValue ? (int)(width / 4) : 0;
    }

    /// <summary>From row to row of an operand, in fours.</summary>
    public static int Step(in View x, int pieces)
    {
        Split(x.Layout, out _, out long stride);
        return stride == Any ? pieces : checked((int)(stride / 4));
    }

    private static long Meet(long a, long b) => a == None || b == None ? None : a == Any ? b : b == Any || a == b ? a : None;

    private static long Length(in View x, in View y)
    {
        if (!x.Layout.SameShape(y.Layout) || x.Offset % 4 != 0 || !Split(x.Layout, out long length, out long stride))
        {
            return None;
        }

        return stride == Any ? Any : stride % 4 == 0 ? length : None;
    }

    // What of the last dimensions is in one stretch, and how far it is from one such to the next; that is one and the same, or all is one stretch.
    private static bool Split(in Layout layout, out long length, out long stride)
    {
        (length, stride) = (1, Any);
        long next = Any;
        for (int axis = layout.Rank - 1; axis >= 0; axis--)
        {
            if (layout[axis] == 1)
            {
                continue;
            }

            if (stride == Any && layout.Stride(axis) == length)
            {
                length *= layout[axis];
                continue;
            }

            (stride, next) = stride == Any ? (layout.Stride(axis), layout.Stride(axis)) : (stride, next);
            if (layout.Stride(axis) != next || stride <= 0)
            {
                return false;
            }

            next *= layout[axis];
        }

        return true;
    }
}
