using System.Runtime.InteropServices;
using System.Text;

namespace NanoFold.Engine.Text;

/// <summary>
/// The pieces of a BPE model as merges of symbols. A symbol is a character: a piece, or a number beyond them for one that only longer pieces have. All neighbors whose join
/// is a piece merge, those of the best score first.
/// </summary>
internal sealed class PieceSymbols
{
    // Longer pieces would make merges by the square of their length; real ones have at most a few dozen characters.
    private const int LongestPiece = 512;
    private const int Direct = 0x3000;
    private readonly Dictionary<byte[], int> _characters = new(WordComparer.Instance);
    private readonly List<byte[]> _extra = [];
    private readonly int _vocab;
    private readonly int[] _direct = new int[Direct];

    public PieceSymbols(SentencePieceModel model)
    {
        _vocab = model.Pieces.Count;
        var ids = new Dictionary<byte[], int>(WordComparer.Instance);
        for (int id = 0; id < _vocab; id++)
        {
            if (model.Pieces[id].Kind is PieceKind.Normal or PieceKind.UserDefined)
            {
                ids[model.Pieces[id].Text] = id;
            }
        }

        foreach ((byte[] text, int id) in ids)
        {
            CodePoints.Read(text, 0, out int length);
            if (length == text.Length)
            {
                _characters[text] = id;
            }
        }

        var merges = new List<(float Score, BpeMerge Merge)>();
        if (model.Method == PieceMethod.Bpe)
        {
            foreach ((byte[] text, int id) in ids.Where(entry => model.Pieces[entry.Value].Kind == PieceKind.Normal && entry.Key.Length <= LongestPiece))
            {
                AddMerges(text, id, model.Pieces[id].Score, ids, merges);
            }
        }

        merges.Sort((a, b) => a.Score != b.Score ? b.Score.CompareTo(a.Score) : a.Merge.Merged.CompareTo(b.Merge.Merged));
        int[] ranks = new int[merges.Count];
        for (int i = 1; i < ranks.Length; i++)
        {
            ranks[i] = ranks[i - 1] + (merges[i].Score == merges[i - 1].Score ? 0 : 1);
        }

        Merges = new MergeTable([.. merges.Select(merge => merge.Merge)], ranks);
        Span<byte> bytes = stackalloc byte[4];
        for (int point = 0; point < Direct; point++)
        {
            _direct[point] = Find(bytes[..CodePoints.Write(point, bytes)]);
        }
    }

    public MergeTable Merges { get; }

    /// <summary>The symbol of a character, or −1.</summary>
    public int Of(int point, ReadOnlySpan<byte> text) => point < Direct ? _direct[point] : Find(text);

    /// <summary>The text of a symbol that is no piece.</summary>
    public ReadOnlySpan<byte> TextOf(int symbol) => _extra[symbol - _vocab];

    private int Find(ReadOnlySpan<byte> text) => _characters.GetAlternateLookup<ReadOnlySpan<byte>>().TryGetValue(text, out int symbol) ? symbol : -1;

    private void AddMerges(byte[] text, int id, float score, Dictionary<byte[], int> ids, List<(float, BpeMerge)> merges)
    {
        Dictionary<byte[], int>.AlternateLookup<ReadOnlySpan<byte>> lookup = ids.GetAlternateLookup<ReadOnlySpan<byte>>();
        for (int at = 0; at < text.Length;)
        {
            CodePoints.Read(text, at, out int length);
            at += length;
            if (at < text.Length && Part(text.AsSpan(0, at), lookup) is var left and >= 0 && Part(text.AsSpan(at), lookup) is var right and >= 0)
            {
                merges.Add((score, new BpeMerge(left, right, id)));
            }
        }
    }

    private int Part(ReadOnlySpan<byte> text, Dictionary<byte[], int>.AlternateLookup<ReadOnlySpan<byte>> ids)
    {
        if (ids.TryGetValue(text, out int id))
        {
            return id;
        }

        CodePoints.Read(text, 0, out int length);
        if (length < text.Length)
        {
            return -1;
        }

        ref int symbol = ref CollectionsMarshal.GetValueRefOrAddDefault(_characters.GetAlternateLookup<ReadOnlySpan<byte>>(), text, out bool known);
        if (!known)
        {
            symbol = _vocab + _extra.Count;
            _extra.Add(text.ToArray());
        }

        return symbol;
    }
}
