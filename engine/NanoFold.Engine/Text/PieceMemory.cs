using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace NanoFold.Engine.Text;

/// <summary>
/// The tokens of pieces that came before: of pieces of at most 16 bytes, in a table with one place for each hash, where a newer piece takes the place of
/// an older one. Up to four tokens stand in the entry itself, more in a pool.
/// </summary>
internal sealed class PieceMemory
{
    private const int LogPlaces = 15;
    private const int Longest = 16;
    private const int MostPooled = 1 << 20;
    private readonly Entry[] _entries = new Entry[1 << LogPlaces];
    private int[] _pool = new int[256];
    private int _pooled;

    /// <summary>Appends the tokens of a piece, where they are known.</summary>
    public bool TryGet(ReadOnlySpan<byte> piece, List<int> ids)
    {
        if (piece.Length > Longest)
        {
            return false;
        }

        (ulong low, ulong high) = KeyOf(piece);
        ref Entry entry = ref _entries[PlaceOf(low, high, piece.Length)];
        if (entry.Low != low || entry.High != high || entry.Bytes != piece.Length)
        {
            return false;
        }

        if (entry.Count == 1)
        {
            ids.Add(entry.Ids[0]);
        }
        else
        {
            ids.AddRange(entry.Count <= Four.Length ? ((ReadOnlySpan<int>)entry.Ids)[..entry.Count] : _pool.AsSpan(entry.Ids[0], entry.Count));
        }

        return true;
    }

    /// <summary>Remembers the tokens of a piece, if it is short.</summary>
    public void Put(ReadOnlySpan<byte> piece, ReadOnlySpan<int> tokens)
    {
        if (piece.Length > Longest)
        {
            return;
        }

        (ulong low, ulong high) = KeyOf(piece);
        ref Entry entry = ref _entries[PlaceOf(low, high, piece.Length)];
        entry = new Entry { Low = low, High = high, Bytes = piece.Length, Count = tokens.Length };
        if (tokens.Length <= Four.Length)
        {
            tokens.CopyTo(entry.Ids);
            return;
        }

        if (_pooled + tokens.Length > MostPooled)
        {
            Entry kept = entry;
            Array.Clear(_entries);
            entry = kept;
            _pooled = 0;
        }

        if (_pooled + tokens.Length > _pool.Length)
        {
            Array.Resize(ref _pool, Math.Max(_pool.Length * 2, _pooled + tokens.Length));
        }

        entry.Ids[0] = _pooled;
        tokens.CopyTo(_pool.AsSpan(_pooled));
        _pooled += tokens.Length;
    }

    // With their length, the first and the last eight bytes are the piece.
    private static (ulong Low, ulong High) KeyOf(ReadOnlySpan<byte> piece)
    {
        ref byte start = ref MemoryMarshal.GetReference(piece);
        int length = piece.Length;
        if (length >= 8)
        {
            return (Unsafe.ReadUnaligned<ulong>(ref start), Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref start, length - 8)));
        }

        if (length >= 4)
        {
            return (Unsafe.ReadUnaligned<uint>(ref start), Unsafe.ReadUnaligned<uint>(ref Unsafe.Add(ref start, length - 4)));
        }

        return length == 0 ? (0, 0) : ((ulong)start | ((ulong)piece[length / 2] << 8) | ((ulong)piece[length - 1] << 16), 0UL);
    }

    private static int PlaceOf(ulong low, ulong high, int length)
        => (int)((((low ^ (high * 0xC2B2AE3D27D4EB4F)) + (ulong)length) * 0x9E3779B97F4A7C15) >> (64 - LogPlaces));

    private struct Entry
    {
        public ulong Low;
        public ulong High;
        public int Bytes;
        public int Count;
        public Four Ids;
    }

    [InlineArray(Length)]
    private struct Four
    {
        public const int Length = 4;
        private int _first;
    }
}
