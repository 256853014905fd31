using System.Buffers;
using System.Runtime.InteropServices;

namespace NanoFold.Engine.Text;

/// <summary>
/// Byte-level BPE: every byte of a piece is a symbol. The vocabulary stands in the characters of <see cref="ByteUnicode"/>; a byte that it lacks is unknown, or
/// vanishes where there is no unknown token; one that UTF-8 never has becomes U+FFFD.
/// </summary>
internal sealed class ByteBpeStage : Stage
{
    private static readonly byte[] s_replacement = "\uFFFD"u8.ToArray();
    private readonly int[] _first;
    private readonly int[] _last;
    private readonly int _unknown;
    private readonly bool _fuse;
    private readonly SearchValues<byte>? _missing;
    private readonly Dictionary<byte[], int>? _whole;

    public ByteBpeStage(IReadOnlyDictionary<string, int> tokens, BpeOptions options)
    {
        _first = IdsOf(tokens, "");
        _last = options.Suffix.Length == 0 ? _first : IdsOf(tokens, options.Suffix);
        _unknown = options.Unknown is null ? -1 : tokens[options.Unknown];
        _fuse = options.FuseUnknown;
        byte[] missing = [.. Enumerable.Range(0, 256).Where(value => _first[value] < 0 || _last[value] < 0).Select(value => (byte)value)];
        _missing = missing.Length > 0 ? SearchValues.Create(missing) : null;
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
        (_first, _last, _whole, _unknown) = (bytes, bytes, whole, -1);
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
        else if (_last == _first && (_missing is null || !piece.ContainsAny(_missing)))
        {
            worker.Merge(piece, _first, ids);
        }
        else
        {
            worker.Merge(Symbols(piece, worker), ids);
        }

        worker.Memory.Put(piece, CollectionsMarshal.AsSpan(ids)[before..]);
    }

    private static int[] IdsOf(IReadOnlyDictionary<string, int> tokens, string suffix) =>
        [.. Enumerable.Range(0, 256).Select(value => tokens.GetValueOrDefault(ByteUnicode.CharOf((byte)value) + suffix, -1))];

    // The last byte has symbols of its own, and there may be unknown ones.
    private Span<int> Symbols(ReadOnlySpan<byte> piece, BpeWorker worker)
    {
        Span<int> symbols = worker.Symbols(piece.Length * s_replacement.Length);
        int last = piece.Length - 1;
        int count = 0;
        for (int i = 0; i <= last; i++)
        {
            int id = (i == last ? _last : _first)[piece[i]];
            if (id >= 0)
            {
                symbols[count++] = id;
            }
            else if (piece[i] is 0xC0 or 0xC1 or >= 0xF5)
            {
                // Never in UTF-8: the originals, which take texts only, would have got U+FFFD.
                foreach (byte value in s_replacement)
                {
                    symbols[count] = _first[value];
                    count += _first[value] >= 0 ? 1 : 0;
                }
            }
            else if (_unknown >= 0 && !(_fuse && count > 0 && symbols[count - 1] == _unknown))
            {
                symbols[count++] = _unknown;
            }
        }

        return symbols[..count];
    }
}
