using System.Runtime.InteropServices;
using System.Text;

namespace NanoFold.Engine.Text;

/// <summary>
/// BPE over characters, as SentencePiece's models have it in a <c>tokenizer.json</c>: with an unknown token, bytes for characters that are no tokens, and affixes.
/// A piece may be a whole text; it is cut wherever two characters can never come together, so that words are remembered and time stays linear.
/// </summary>
internal sealed class CharacterBpeStage : Stage
{
    private const int NoSymbol = -1;
    private const int Direct = 0x3000;
    private const int LongestWhole = 512;
    private readonly Vocabulary _vocabulary;
    private readonly BpeOptions _options;
    private readonly int[] _direct = new int[Direct];
    private readonly int[]? _bytes;
    private readonly int _unknown;
    private readonly bool _affixed;

    public CharacterBpeStage(Vocabulary vocabulary, BpeOptions options)
    {
        _vocabulary = vocabulary;
        _options = options;
        _bytes = options.ByteFallback ? vocabulary.ByteTokens() : null;
        _unknown = options.Unknown is null ? NoSymbol : vocabulary.IdOf(options.Unknown);
        _affixed = options.Prefix.Length > 0 || options.Suffix.Length > 0;
        Span<byte> bytes = stackalloc byte[4];
        for (int point = 0; point < Direct; point++)
        {
            _direct[point] = vocabulary.IdOf(bytes[..CodePoints.Write(point, bytes)]);
        }
    }

    /// <inheritdoc/>
    public override void Run(ReadOnlySpan<byte> piece, bool first, EncodeState state)
    {
        List<int> ids = state.Ids;
        if (_options.IgnoreMerges && piece.Length <= Math.Max(LongestWhole, _vocabulary.LongestToken) && _vocabulary.IdOf(piece) is >= 0 and var whole)
        {
            ids.Add(whole);
        }
        else if (_affixed)
        {
            RunAffixed(piece, state);
        }
        else
        {
            RunInParts(piece, state);
        }
    }

    private void RunInParts(ReadOnlySpan<byte> piece, EncodeState state)
    {
        BpeWorker worker = state.Bpe!;
        MergeTable merges = worker.Merges;
        var pending = new Symbols(worker, _unknown, _options.FuseUnknown);
        int start = 0;
        bool plain = true;
        int before = NoSymbol;
        for (int at = 0, length; at < piece.Length; at += length)
        {
            int symbol = SymbolAt(piece, at, out length);
            if (before != NoSymbol && symbol != NoSymbol && !merges.MayMeet(before, symbol))
            {
                Flush(piece[start..at], ref pending, plain, state);
                start = at;
                plain = true;
            }

            before = symbol;
            if (symbol == NoSymbol)
            {
                plain = false;
                AddUnknown(piece.Slice(at, length), ref pending);
            }
            else
            {
                pending.Add(symbol);
            }
        }

        pending.Settle();
        Flush(piece[start..], ref pending, plain, state);
    }

    // Symbols of a part that is what its bytes are: remembered by them.
    private static void Flush(ReadOnlySpan<byte> part, ref Symbols pending, bool plain, EncodeState state)
    {
        BpeWorker worker = state.Bpe!;
        if (!plain)
        {
            worker.Merge(pending.Take(), state.Ids);
            return;
        }

        if (!worker.Memory.TryGet(part, state.Ids))
        {
            int before = state.Ids.Count;
            worker.Merge(pending.Take(), state.Ids);
            worker.Memory.Put(part, CollectionsMarshal.AsSpan(state.Ids)[before..]);
        }
        else
        {
            pending.Take();
        }
    }

    private void RunAffixed(ReadOnlySpan<byte> piece, EncodeState state)
    {
        var pending = new Symbols(state.Bpe!, _unknown, _options.FuseUnknown);
        for (int at = 0, length; at < piece.Length; at += length)
        {
            CodePoints.Read(piece, at, out length);
            bool last = at + length == piece.Length;
            string text = (at > 0 ? _options.Prefix : "") + Encoding.UTF8.GetString(piece.Slice(at, length)) + (last ? _options.Suffix : "");
            byte[] bytes = Encoding.UTF8.GetBytes(text);
            int symbol = _vocabulary.IdOf(bytes);
            if (symbol >= 0)
            {
                pending.Add(symbol);
            }
            else
            {
                AddUnknown(bytes, ref pending);
            }
        }

        pending.Settle();
        state.Bpe!.Merge(pending.Take(), state.Ids);
    }

    private int SymbolAt(ReadOnlySpan<byte> piece, int at, out int length)
    {
        int point = CodePoints.Read(piece, at, out length);
        return point < Direct ? _direct[point] : point == CodePoints.Invalid ? NoSymbol : _vocabulary.IdOf(piece.Slice(at, length));
    }

    private void AddUnknown(ReadOnlySpan<byte> character, ref Symbols pending)
    {
        if (_bytes is not null && !HasMissing(character))
        {
            // As the original does: an unknown character before them stays pending, and so comes after these bytes.
            foreach (byte value in character)
            {
                pending.AddByte(_bytes[value]);
            }
        }
        else
        {
            pending.AddUnknown();
        }
    }

    private bool HasMissing(ReadOnlySpan<byte> character)
    {
        foreach (byte value in character)
        {
            if (_bytes![value] < 0)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Symbols that wait to be merged, and an unknown one that may still grow.</summary>
    private ref struct Symbols(BpeWorker worker, int unknown, bool fuse)
    {
        private int _count;
        private bool _unknownOpen;

        public void Add(int symbol)
        {
            Settle();
            AddByte(symbol);
        }

        public void AddByte(int symbol)
        {
            worker.Grow(_count + 1);
            worker.Symbols(_count + 1)[_count] = symbol;
            _count++;
        }

        public void AddUnknown()
        {
            if (unknown < 0)
            {
                return;
            }

            if (!fuse)
            {
                Settle();
            }

            _unknownOpen = true;
        }

        public void Settle()
        {
            if (_unknownOpen)
            {
                _unknownOpen = false;
                AddByte(unknown);
            }
        }

        public Span<int> Take()
        {
            Span<int> symbols = worker.Symbols(_count);
            _count = 0;
            return symbols;
        }
    }
}
