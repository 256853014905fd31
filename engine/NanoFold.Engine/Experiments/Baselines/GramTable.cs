using System.Numerics;

namespace NanoFold.Engine.Experiments.Baselines;

/// <summary>
/// Sequences of n tokens and a number for each: open addressing over places of one array of tokens, where sequences are read and compared, so that nothing is rounded to a
/// hash. Eight bytes a slot; at most two of three slots are used.
/// </summary>
/// <param name="tokens">Where sequences stand.</param>
/// <param name="length">n; 0 for the empty sequence alone.</param>
internal sealed class GramTable(int[] tokens, int length)
{
    private const int LeastSlots = 1024;

    // Of a slot: the place where its sequence begins plus 1, 0 while it is free.
    private int[] _starts = new int[LeastSlots];
    private int[] _values = new int[LeastSlots];

    /// <summary>Different sequences.</summary>
    public int Count { get; private set; }

    /// <summary>The number of the sequence that begins at a place, which is added with 0 where it is new.</summary>
    public ref int At(int start)
    {
        if (3L * (Count + 1) > 2L * _starts.Length)
        {
            Grow();
        }

        int slot = Find(start);
        if (_starts[slot] == 0)
        {
            _starts[slot] = start + 1;
            Count++;
        }

        return ref _values[slot];
    }

    /// <summary>The number of the sequence that begins at a place, or a default where it was not added.</summary>
    public int Of(int start, int otherwise) => Find(start) is var slot && _starts[slot] > 0 ? _values[slot] : otherwise;

    /// <summary>Where each sequence was added, and its number.</summary>
    public IEnumerable<(int Start, int Value)> All()
    {
        for (int slot = 0; slot < _starts.Length; slot++)
        {
            if (_starts[slot] > 0)
            {
                yield return (_starts[slot] - 1, _values[slot]);
            }
        }
    }

    private int Find(int start)
    {
        ReadOnlySpan<int> sequence = tokens.AsSpan(start, length);
        int mask = _starts.Length - 1;
        for (int slot = (int)Hash(sequence) & mask; ; slot = (slot + 1) & mask)
        {
            if (_starts[slot] == 0 || sequence.SequenceEqual(tokens.AsSpan(_starts[slot] - 1, length)))
            {
                return slot;
            }
        }
    }

    private static uint Hash(ReadOnlySpan<int> sequence)
    {
        ulong hash = 0;
        foreach (int token in sequence)
        {
            hash = BitOperations.RotateLeft((hash ^ (uint)token) * 0x9E3779B97F4A7C15, 29);
        }

        return (uint)((hash * 0x9E3779B97F4A7C15) >> 32);
    }

    private void Grow()
    {
        (int[] starts, int[] values) = (_starts, _values);
        _starts = new int[checked(2 * starts.Length)];
        _values = new int[_starts.Length];
        for (int i = 0; i < starts.Length; i++)
        {
            if (starts[i] > 0)
            {
                int slot = Find(starts[i] - 1);
                (_starts[slot], _values[slot]) = (starts[i], values[i]);
            }
        }
    }
}
