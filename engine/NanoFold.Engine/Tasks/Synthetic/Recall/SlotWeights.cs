namespace NanoFold.Engine.Tasks;

/// <summary>Slots i = 1, 2 … to be drawn, each once, with a weight of i^(a − 1).</summary>
internal sealed class SlotWeights
{
    private readonly double _power;

    // Sums of the weights up to each slot.
    private double[] _sums;

    /// <param name="power">a.</param>
    /// <param name="slots">How many there usually are; longer rows have more.</param>
    public SlotWeights(double power, int slots)
    {
        _power = power;
        _sums = Sums(slots);
    }

    /// <summary>Draws a slot that is not taken, from 0.</summary>
    /// <param name="draws">The row's random numbers.</param>
    /// <param name="taken">Places of all slots; one is taken where its first is not negative.</param>
    /// <param name="places">Places of a slot.</param>
    public int Draw(ref RowDraws draws, ReadOnlySpan<int> taken, int places)
    {
        // Those that begin and end within the row; a draw that meets a taken one is made again, which leaves the others their weights.
        int slots = taken.Length / places;
        _sums = slots > _sums.Length ? Sums(slots) : _sums;
        ReadOnlySpan<double> sums = _sums.AsSpan(0, slots);
        while (true)
        {
            int found = sums.BinarySearch(draws.Uniform() * sums[^1]);
            int slot = Math.Min(found < 0 ? ~found : found + 1, sums.Length - 1);
            if (taken[slot * places] < 0)
            {
                return slot;
            }
        }
    }

    private double[] Sums(int slots)
    {
        double[] sums = new double[slots];
        double sum = 0;
        for (int i = 0; i < slots; i++)
        {
            sums[i] = sum += Math.Pow(i + 1, _power - 1);
        }

        return sums;
    }
}
