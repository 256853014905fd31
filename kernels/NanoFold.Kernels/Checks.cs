using System.Diagnostics.CodeAnalysis;

namespace NanoFold.Kernels;

/// <summary>Validation that every backend does in the same words: the op, what was expected, what came.</summary>
public static class Checks
{
    /// <summary>The view exists and lies within its buffer.</summary>
    public static void Inside(string op, string name, in View x)
    {
        if (x.Buffer is null)
        {
            Throw(op, $"{name} is missing");
        }

        long end = x.Offset + x.Layout.Extent;
        if (x.Type.IsBlocks())
        {
            InsideBlocks(op, name, x, end);
        }
        else if (x.Offset < 0 || end > x.Buffer.Bytes / x.Type.Size())
        {
            Throw(op, $"{name} {x} ends at element {end} of a buffer of {x.Buffer.Bytes / x.Type.Size()}");
        }
    }

    /// <summary>As <see cref="Inside"/>, and of a real type.</summary>
    public static void Real(string op, string name, in View x)
    {
        Inside(op, name, x);
        if (!x.Type.IsReal())
        {
            Throw(op, $"{name} is {x}, expected a real type");
        }
    }

    /// <summary>As <see cref="Inside"/>, of the type of <paramref name="y"/>.</summary>
    public static void Like(string op, string name, in View x, in View y)
    {
        Inside(op, name, x);
        if (x.Type != y.Type)
        {
            Throw(op, $"{name} is {x}, expected {y.Type} as in {y}");
        }
    }

    /// <summary>As <see cref="Inside"/>, of the type that sums of <paramref name="x"/> have, see <see cref="DTypeExtensions.Sum"/>.</summary>
    public static void IsSum(string op, string name, in View y, in View x)
    {
        Inside(op, name, y);
        if (y.Type != x.Type.Sum())
        {
            Throw(op, $"{name} is {y}, expected {x.Type.Sum()} for sums of {x}");
        }
    }

    /// <summary>As <see cref="Inside"/>, of the type of <paramref name="x"/> or that of its sums.</summary>
    public static void LikeOrSum(string op, string name, in View y, in View x)
    {
        Inside(op, name, y);
        if (y.Type != x.Type && y.Type != x.Type.Sum())
        {
            Throw(op, $"{name} is {y}, expected {x.Type}{(x.Type.Is16Bit() ? $" or {x.Type.Sum()}" : "")} as {x} is");
        }
    }

    /// <summary>As <see cref="Inside"/>, Int32, contiguous, with <paramref name="count"/> elements.</summary>
    public static void Integers(string op, string name, in View x, long count)
    {
        Inside(op, name, x);
        if (x.Type != DType.Int32 || x.Count != count || !x.Layout.IsContiguous)
        {
            Throw(op, $"{name} is {x}, expected {count} contiguous Int32");
        }
    }

    /// <summary>As <see cref="Like"/>, and its shape fits that of <paramref name="y"/> by broadcasting.</summary>
    public static void Broadcasts(string op, string name, in View x, in View y)
    {
        Like(op, name, x, y);
        Fits(op, name, x, y);
    }

    /// <summary>The shape of <paramref name="x"/> fits that of <paramref name="y"/> by broadcasting.</summary>
    public static void Fits(string op, string name, in View x, in View y)
    {
        int missing = y.Layout.Rank - x.Layout.Rank;
        bool fits = missing >= 0;
        for (int i = 0; fits && i < x.Layout.Rank; i++)
        {
            fits = x.Layout[i] == 1 || x.Layout[i] == y.Layout[i + missing];
        }

        if (!fits)
        {
            Throw(op, $"{name} is {x}, expected a shape that broadcasts to {y}");
        }
    }

    /// <summary>As <see cref="Like"/>, and of the same shape.</summary>
    public static void Same(string op, string name, in View x, in View y)
    {
        Like(op, name, x, y);
        if (!x.Layout.SameShape(y.Layout))
        {
            Throw(op, $"{name} is {x}, expected {y}");
        }
    }

    /// <summary>No two indices of the view are one element, so that it can be written.</summary>
    public static void Writable(string op, string name, in View y)
    {
        Inside(op, name, y);
        for (int i = 0; i < y.Layout.Rank; i++)
        {
            if (y.Layout[i] > 1 && y.Layout.Stride(i) == 0)
            {
                Throw(op, $"{name} {y} is broadcast and cannot be written");
            }
        }
    }

    public static void Rank(string op, string name, in View x, int rank)
    {
        if (x.Layout.Rank != rank)
        {
            Throw(op, $"{name} is {x}, expected {rank} dimensions");
        }
    }

    /// <summary>A call that reads or writes slots has a state.</summary>
    public static void State(string op, StepState? state)
    {
        if (state is null)
        {
            Throw(op, "state is missing");
        }
    }

    /// <summary>The slot is one that a state has.</summary>
    public static void Slot(string op, string name, StepSlot slot)
    {
        if (slot < 0 || (int)slot >= StepState.Capacity)
        {
            Throw(op, $"{name} is {slot}, expected a slot of the state");
        }
    }

    /// <summary>The same, or none.</summary>
    public static void SlotOrNone(string op, string name, StepSlot slot)
    {
        if (slot != StepSlot.None)
        {
            Slot(op, name, slot);
        }
    }

    private static void InsideBlocks(string op, string name, in View x, long end)
    {
        if (x.Offset < 0 || x.Offset % DTypeExtensions.BlockValues != 0 || end % DTypeExtensions.BlockValues != 0 || x.Type.Bytes(end) > x.Buffer.Bytes)
        {
            Throw(op, $"{name} {x}, elements {x.Offset} to {end}, is no whole number of blocks in a buffer of {x.Buffer.Bytes} bytes");
        }
    }

    [DoesNotReturn]
    public static void Throw(string op, string message)
        => throw new ArgumentException($"{op}: {message}");
}
