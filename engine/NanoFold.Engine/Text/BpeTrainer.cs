using System.Runtime.InteropServices;

namespace NanoFold.Engine.Text;

/// <summary>
/// Learns byte pair merges from text: again and again the most frequent pair of neighboring tokens becomes a token.
/// Pieces are counted once however often they occur, pair counts are kept up to date rather than recounted, and a heap
/// finds the next pair. The result depends on the counts only: ties go to the pair with the smaller left, then right, id.
/// </summary>
public sealed class BpeTrainer
{
    /// <summary>The largest vocabulary that can be asked for.</summary>
    public const int LargestVocab = 1 << 20;

    // A piece longer than this (text without spaces) is counted in parts, so that each stays cheap to merge in.
    private const int LongestPiece = 256;

    // A pair that occurs once teaches nothing.
    private const long LeastCount = 2;

    private readonly Dictionary<byte[], long> _words = new(WordComparer.Instance);

    /// <summary>Counts the pieces of <paramref name="utf8"/>. Call it for each part of a corpus, in any order.</summary>
    public void Add(ReadOnlySpan<byte> utf8)
    {
        var words = _words.GetAlternateLookup<ReadOnlySpan<byte>>();
        while (!utf8.IsEmpty)
        {
            int length = PreTokenizer.Next(utf8);
            for (ReadOnlySpan<byte> piece = utf8[..length]; !piece.IsEmpty;)
            {
                int part = piece.Length <= LongestPiece ? piece.Length : CharacterStart(piece, LongestPiece);
                CollectionsMarshal.GetValueRefOrAddDefault(words, piece[..part], out _)++;
                piece = piece[part..];
            }

            utf8 = utf8[length..];
        }
    }

    /// <summary>
    /// The tokenizer with <paramref name="vocab"/> ids: the 256 bytes, merges, and where <paramref name="documentMarks"/>
    /// is set two ids at the end that begin and end a document. Fewer, where the text has no more repeated pairs.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">The vocabulary is smaller than the bytes and marks, or too large.</exception>
    public BpeTokenizer Train(int vocab, bool documentMarks = false)
    {
        int marks = documentMarks ? 2 : 0;
        if (vocab < 256 + marks || vocab > LargestVocab)
        {
            throw new ArgumentOutOfRangeException(nameof(vocab), $"a byte-level BPE has between {256 + marks} and {LargestVocab} symbols, not {vocab}");
        }

        var words = new BpeWords(_words);
        List<byte[]> tokens = [.. Enumerable.Range(0, 256).Select(value => new[] { (byte)value })];
        var known = new HashSet<byte[]>(tokens, WordComparer.Instance);
        var merges = new List<BpeMerge>();
        while (tokens.Count < vocab - marks && words.TryTakeBest(LeastCount, out int left, out int right))
        {
            // "ab"+"c" and "a"+"bc" give the same bytes: a token is derived in one way, that of the first.
            byte[] token = [.. tokens[left], .. tokens[right]];
            if (!known.Add(token))
            {
                continue;
            }

            merges.Add(new BpeMerge(left, right, tokens.Count));
            words.Merge(left, right, tokens.Count);
            tokens.Add(token);
        }

        SpecialToken[] specials = documentMarks ? BpeModel.MarksAt(tokens.Count) : [];
        tokens.AddRange(specials.Select(_ => Array.Empty<byte>()));
        return new BpeTokenizer(new BpeModel([.. tokens], [.. merges], specials, IgnoreMerges: false));
    }

    // The last place up to `limit` where a character starts.
    private static int CharacterStart(ReadOnlySpan<byte> piece, int limit)
    {
        int place = limit;
        while (place > limit - 4 && (piece[place] & 0xC0) == 0x80)
        {
            place--;
        }

        return place;
    }
}
