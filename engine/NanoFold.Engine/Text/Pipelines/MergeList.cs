namespace NanoFold.Engine.Text;

/// <summary>The merges of a BPE model, read one after the other: pairs of texts become pairs of ids.</summary>
/// <param name="tokens">The ids of all tokens.</param>
/// <param name="prefix">Characters in which every token begins that does not begin a word; a merge takes them from its right part.</param>
internal sealed class MergeList(Dictionary<string, int> tokens, int prefix = 0)
{
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _ids = tokens.GetAlternateLookup<ReadOnlySpan<char>>();
    private readonly List<BpeMerge> _merges = [];
    private char[] _joined = new char[64];

    /// <summary>In order of rank.</summary>
    public IReadOnlyList<BpeMerge> Merges => _merges;

    /// <summary>How a merge is called that is none.</summary>
    public string Fault(string merge) => $"model.merges[{_merges.Count}] '{merge}' is not a pair of tokens that join to a token";

    /// <summary>Adds two tokens with a space between.</summary>
    /// <returns>Whether they are two, and join to a token.</returns>
    public bool TryAdd(ReadOnlySpan<char> pair)
    {
        int space = pair.IndexOf(' ');
        return space >= 0 && !pair[(space + 1)..].Contains(' ') && TryAdd(pair[..space], pair[(space + 1)..]);
    }

    /// <summary>Adds two tokens.</summary>
    /// <returns>Whether they join to a token.</returns>
    public bool TryAdd(ReadOnlySpan<char> left, ReadOnlySpan<char> right)
    {
        if (right.Length < prefix || !_ids.TryGetValue(left, out int first) || !_ids.TryGetValue(right, out int second))
        {
            return false;
        }

        right = right[prefix..];
        int length = left.Length + right.Length;
        if (length > _joined.Length)
        {
            _joined = new char[length * 2];
        }

        left.CopyTo(_joined);
        right.CopyTo(_joined.AsSpan(left.Length));
        if (!_ids.TryGetValue(_joined.AsSpan(0, length), out int merged))
        {
            return false;
        }

        _merges.Add(new BpeMerge(first, second, merged));
        return true;
    }
}
