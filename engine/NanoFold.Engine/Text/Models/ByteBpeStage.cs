using System.Runtime.InteropServices;

namespace NanoFold.Engine.Text;

/// <summary>
/// Byte-level BPE: every byte of a piece is a symbol. The vocabulary stands in the characters of <see cref="ByteUnicode"/>; a byte that it lacks is unknown, or
/// vanishes where there is no unknown token.
/// </summary>
internal sealed class ByteBpeStage : Stage
{
    private readonly int[] _first;
    private readonly int[] _last;
    private readonly int _unknown;
    private readonly bool _fuse;
    private readonly bool _complete;
    private readonly Dictionary<byte[], int>? _whole;

    public ByteBpeStage(Vocabulary vocabulary, IReadOnlyDictionary<string, int> tokens, BpeOptions options)
    {
        _first = IdsOf(vocabulary, "");
        _last = options.Suffix.Length == 0 ? _first : IdsOf(vocabulary, options.Suffix);

        _unknown = options.Unknown is null ? -1 : vocabulary.IdOf(options.Unknown);
        _fuse = options.FuseUnknown;
        _complete = !_first.Contains(-1) && !_last.Contains(-1);
        if (options.IgnoreMerges)
        {
            _whole = new(WordComparer.Instance);
            foreach ((string token, int id) in tokens)
            {
                if (ByteUnicode.TryDecode(token, out byte[]? bytes))
                {
                    _whole.TryAdd(bytes, id);
                }
            }
        }
    }

    /// <param name="bytes">The id of each byte.</param>
    /// <param name="whole">Pieces that are tokens as a whole.</param>
    public ByteBpeStage(int[] bytes, Dictionary<byte[], int> whole)
    {
        (_first, _last, _whole, _unknown, _complete) = (bytes, bytes, whole, -1, true);
    }

    /// <inheritdoc/>
    public override void Run(ReadOnlySpan<byte> piece, bool first, EncodeState state)
    {
        BpeWorker worker = state.Bpe!;
        List<int> ids = state.Ids;
        if (worker.Memory.TryGet(piece, ids))
        {
            return;
        }

        int before = ids.Count;
        if (_whole is not null && _whole.GetAlternateLookup<ReadOnlySpan<byte>>().TryGetValue(piece, out int whole))
        {
            ids.Add(whole);
        }
        else if (_complete && _last == _first)
        {
            worker.Merge(piece, _first, ids);
        }
        else
        {
            worker.Merge(Symbols(piece, worker), ids);
        }

        worker.Memory.Put(piece, CollectionsMarshal.AsSpan(ids)[before..]);
    }

    private static int[] IdsOf(Vocabulary vocabulary, string suffix) =>
        [.. Enumerable.Range(0, 256).Select(value => vocabulary.IdOf(ByteUnicode.CharOf((byte)value) + suffix))];

    // The last byte has symbols of its own, and there may be unknown ones.
    private Span<int> Symbols(ReadOnlySpan<byte> piece, BpeWorker worker)
    {
        Span<int> symbols = worker.Symbols(piece.Length);
        int last = piece.Length - 1;
        int count = 0;
        for (int i = 0; i <= last; i++)
        {
            int id = (i == last ? _last : _first)[piece[i]];
            if (id >= 0)
            {
                symbols[count++] = id;
            }
            else if (_unknown >= 0 && !(_fuse && count > 0 && symbols[count - 1] == _unknown))
            {
                symbols[count++] = _unknown;
            }
        }

        return symbols[..count];
    }
}
