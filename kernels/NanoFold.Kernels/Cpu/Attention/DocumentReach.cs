namespace NanoFold.Kernels.Cpu.Attention;

/// <summary>
/// How far documents reach: for each unit of tokens the stretch of tokens outside of which nothing is in one of its documents, by the range of
/// their numbers. Documents that are packed side by side so bound what queries see, at the cost of one look at each token.
/// </summary>
internal readonly unsafe struct DocumentReach
{
    /// <summary>Tokens of a unit.</summary>
    private const int Unit = 32;

    private readonly Reach* _units;
    private readonly int _count, _keys;

    /// <param name="documents">[B, S], or null.</param>
    /// <param name="batch">B.</param>
    /// <param name="keys">S.</param>
    /// <param name="memory">As many bytes as <see cref="Bytes"/> says.</param>
    public DocumentReach(int* documents, int batch, int keys, void* memory)
    {
        _keys = keys;
        _count = BlockSizes.Count(keys, Unit);
        _units = documents is null ? null : (Reach*)memory;
        for (int b = 0; b < batch && documents is not null; b++)
        {
            Fill(documents + ((long)b * keys), _units + ((long)b * _count));
        }
    }

    public static long Bytes(int batch, int keys) => (long)batch * BlockSizes.Count(keys, Unit) * sizeof(Reach);

    /// <summary>Keys outside of [Low, High) are in no document of tokens [first, last].</summary>
    public (int Low, int High) Of(int batch, int first, int last)
    {
        if (_units is null)
        {
            return (0, _keys);
        }

        Reach* row = _units + ((long)batch * _count);
        (int low, int high) = (_count, 0);
        for (int i = first / Unit; i <= last / Unit; i++)
        {
            low = Math.Min(low, row[i].First);
            high = Math.Max(high, row[i].End);
        }

        return (low * Unit, Math.Min(high * Unit, _keys));
    }

    private void Fill(int* documents, Reach* units)
    {
        bool isSorted = true;
        for (int i = 0; i < _count; i++)
        {
            int low = int.MaxValue, high = int.MinValue;
            for (int t = i * Unit; t < Math.Min((i + 1) * Unit, _keys); t++)
            {
                low = Math.Min(low, documents[t]);
                high = Math.Max(high, documents[t]);
            }

            isSorted &= i == 0 || units[i - 1].High <= low;
            units[i] = new Reach { Low = low, High = high };
        }

        for (int i = 0; i < _count; i++)
        {
            // Sorted units reach no less far than the one before.
            int first = isSorted && i > 0 ? units[i - 1].First : 0;
            while (!units[first].Meets(units[i]))
            {
                first++;
            }

            units[i].First = first;
        }

        for (int i = _count - 1; i >= 0; i--)
        {
            int end = isSorted && i < _count - 1 ? units[i + 1].End : _count;
            while (!units[end - 1].Meets(units[i]))
            {
                end--;
            }

            units[i].End = end;
        }
    }

    /// <summary>The least and the largest number in a unit, and the units that it may share a document with.</summary>
    private struct Reach
    {
        public int Low, High, First, End;

        public readonly bool Meets(in Reach other) => Low <= other.High && other.Low <= High;
    }
}
