namespace NanoFold.Engine.Tasks;

/// <summary>Slots i = 1, 2 … to be drawn, each once, with a weight of i^(a − 1).</summary>
/// <param name="power">a.</param>
internal sealed class SlotWeights(double power)
{
    // Sums of the weights up to each slot.
    private double[] _sums = [];

    /// <summary>Makes ready for so many slots.</summary>
    public void Reach(int slots)
    {
        if (slots <= _sums.Length)
        {
            return;
        }

        double[] sums = new double[slots];
        double sum = 0;
        for (int i = 0; i < slots; i++)
        {
            sums[i] = sum += Math.Pow(i + 1, power - 1);
        }

        _sums = sums;
    }

    /// <summary>Draws a slot that is not taken, from 0.</summary>
    /// <param name="draws">The row's random numbers.</param>
    /// <param name="taken">Places of all slots; one is taken where its first is not negative.</param>
    /// <param name="places">Places of a slot.</param>
    public int Draw(ref RowDraws draws, ReadOnlySpan<int> taken, int places)
    {
        // Those that begin and end within the row; a draw that meets a taken one is made again, which leaves the others their weights.
        ReadOnlySpan<double> sums = _sums.AsSpan(0, taken.Length / places);
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
}
