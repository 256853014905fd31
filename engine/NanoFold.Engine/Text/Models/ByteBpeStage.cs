using System.Runtime.InteropServices;

namespace NanoFold.Engine.Text;

/// <summary>
/// Byte-level BPE: every byte of a piece is a symbol. The vocabulary stands in the characters of <see cref="ByteUnicode"/>; a byte that it lacks is unknown, or
/// vanishes where there is no unknown token.
/// </summary>
internal sealed class ByteBpeStage : Stage
{
    private readonly int[] _first = new int[256];
    private readonly int[] _last = new int[256];
    private readonly int _unknown;
    private readonly bool _fuse;
    private readonly bool _complete;
    private readonly Dictionary<byte[], int>? _whole;

    public ByteBpeStage(Vocabulary vocabulary, IReadOnlyDictionary<string, int> tokens, BpeOptions options)
    {
        for (int value = 0; value < 256; value++)
        {
            string symbol = ByteUnicode.CharOf((byte)value).ToString();
            _first[value] = vocabulary.IdOf(symbol);
            _last[value] = options.Suffix.Length == 0 ? _first[value] : vocabulary.IdOf(symbol + options.Suffix);
        }

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
        else
        {
            worker.Merge(Symbols(piece, worker), ids);
        }

        worker.Memory.Put(piece, CollectionsMarshal.AsSpan(ids)[before..]);
    }

    private Span<int> Symbols(ReadOnlySpan<byte> piece, BpeWorker worker)
    {
        Span<int> symbols = worker.Symbols(piece.Length);
        int last = piece.Length - 1;
        if (_complete)
        {
            for (int i = 0; i < last; i++)
            {
                symbols[i] = _first[piece[i]];
            }

            symbols[last] = _last[piece[last]];
            return symbols;
        }

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
