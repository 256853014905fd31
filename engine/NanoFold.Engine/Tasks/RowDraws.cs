using NanoFold.Kernels;

namespace NanoFold.Engine.Tasks;

/// <summary>The random numbers of one row: the same for the same seed, step and number of the row, one after the other.</summary>
public struct RowDraws
{
    private readonly ulong _key;
    private ulong _drawn;

    // Two bits above the step keep apart what the same seed decides: rows to train on, other rows, and tables. 0 is of what else is drawn by a seed, such as initial weights.
    private const int StreamBits = 62;

    /// <param name="seed">Of the task and the split; the split is told apart besides, so that it may be the same for both.</param>
    /// <param name="key">Which row.</param>
    public RowDraws(ulong seed, in RowKey key)
        : this(seed, key.Split == TaskSplit.Training ? 1UL : 2UL, (ulong)key.Number, (ulong)key.Step)
    {
    }

    private RowDraws(ulong seed, ulong stream, ulong number, ulong step)
    {
        (uint low, uint high, _, _) = Philox.Next(seed, number, step | (stream << StreamBits));
        _key = ((ulong)high << 32) | low;
    }

    /// <summary>For what is the same in all rows, such as tables and facts.</summary>
    public static RowDraws OfTables(long seed) => new((ulong)seed, 3, 0, 0);

    /// <summary>A whole number from 0, below <paramref name="range"/>.</summary>
    public int Below(int range)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(range, 1);
        return (int)Philox.Below((ulong)range, _key, _drawn++, 0);
    }

    /// <summary>A number from 0, below 1, in steps of 2⁻⁵³.</summary>
    public double Uniform()
    {
        (uint low, uint high, _, _) = Philox.Next(_key, _drawn++, 0);
        return ((((ulong)high << 32) | low) >> 11) * (1.0 / (1L << 53));
    }

    /// <summary>A number of the standard normal distribution, by Box and Muller.</summary>
    public double Normal()
    {
        (uint a, uint b, uint c, uint d) = Philox.Next(_key, _drawn++, 0);
        double radius = Math.Sqrt(-2 * Math.Log(((((((ulong)a << 32) | b) >> 11) + 1) * (1.0 / (1L << 53)))));
        return radius * Math.Cos(2 * Math.PI * ((((ulong)c << 32) | d) >> 11) * (1.0 / (1L << 53)));
    }

    /// <summary>Different whole numbers from a range, each choice and order of them as likely as any other; to every <paramref name="step"/>-th place.</summary>
    /// <param name="into">Gets them at its places 0, <paramref name="step"/> and so on; the others stay.</param>
    /// <param name="count">How many, no more than the range has.</param>
    /// <param name="from">The first number of the range.</param>
    /// <param name="range">How many numbers it has.</param>
    /// <param name="step">From one place to the next.</param>
    public void Distinct(Span<int> into, int count, int from, int range, int step = 1)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, range);
        for (int i = 0; i < count; i++)
        {
            int drawn;
            do
            {
                drawn = from + Below(range);
            }
            while (IsAmong(into, drawn, i, step));
            into[i * step] = drawn;
        }
    }

    /// <summary>Puts things into a random order, each as likely as any other (Fisher and Yates).</summary>
    public void Shuffle<T>(Span<T> values)
    {
        for (int i = values.Length - 1; i > 0; i--)
        {
            int other = Below(i + 1);
            (values[i], values[other]) = (values[other], values[i]);
        }
    }

    private static bool IsAmong(ReadOnlySpan<int> values, int value, int count, int step)
    {
        for (int i = 0; i < count; i++)
        {
            if (values[i * step] == value)
            {
                return true;
            }
        }

        return false;
    }
}
