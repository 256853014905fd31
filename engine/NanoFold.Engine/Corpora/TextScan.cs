using System.Buffers;
using System.Text;
using System.Text.Unicode;

namespace NanoFold.Engine.Corpora;

/// <summary>Looks through a text once: whether it is text, what in it is no UTF-8, where its documents end, which special tokens' names it holds.</summary>
internal sealed class TextScan
{
    private const int BlockBytes = 1 << 18;

    /// <summary>Above this share of bytes that are not UTF-8, a file is not taken for text in UTF-8.</summary>
    private const double LargestInvalidShare = 0.1;
    private const int LargestInvalidCount = 3;

    private static readonly byte[][] s_marks =
    [
        .. new[]
        {
            "<|endoftext|>", "<|begin_of_text|>", "<|end_of_text|>", "<|startoftext|>", "<|im_start|>", "<|im_end|>", "<|eot_id|>", "<|bos|>", "<|eos|>",
            "<bos>", "<eos>", "<s>", "</s>", "<eot>", "<eod>",
        }.Select(Encoding.UTF8.GetBytes),
    ];

    private readonly byte[]? _separator;
    private readonly bool _isText;
    private readonly CancellationToken _cancel;
    private readonly int _longest;
    private readonly byte[] _buffer;
    private readonly long[] _markCounts = new long[s_marks.Length];
    private long _begin;

    /// <param name="separator">What stands between documents; null to look for special tokens' names.</param>
    /// <param name="isText">False for what is text for certain: strings of records, which may hold a NUL.</param>
    /// <param name="cancel">Ends reading.</param>
    public TextScan(byte[]? separator, bool isText, CancellationToken cancel = default)
    {
        _cancel = cancel;
        _separator = separator;
        _isText = isText;
        _longest = separator?.Length ?? s_marks.Max(mark => mark.Length);
        _buffer = new byte[BlockBytes + (2 * _longest)];
    }

    /// <summary>Where the first NUL byte is, −1 where there is none.</summary>
    public long NulAt { get; private set; } = -1;

    /// <summary>Bytes that are no UTF-8, and where the first of them is.</summary>
    public (long Count, long First) Invalid { get; private set; }

    /// <summary>How often the separator was found.</summary>
    public long Separators { get; private set; }

    /// <summary>The documents, none of them empty.</summary>
    public List<(long From, long To)> Documents { get; } = [];

    /// <summary>The special token's name that was found most often; null where there was none.</summary>
    public (string Name, long Count)? Mark
    {
        get
        {
            long most = _markCounts.Max();
            return most == 0 ? null : (Encoding.UTF8.GetString(s_marks[Array.IndexOf(_markCounts, most)]), most);
        }
    }

    /// <summary>Reads the bytes [<paramref name="from"/>, <paramref name="to"/>) of a text; stops where it turns out to be none.</summary>
    public void Read(StoredText text, long from, long to)
    {
        using Stream stream = text.Open(from);
        int held = 0, searched = 0, validated = 0;
        _begin = from;
        for (long at = from; at + held < to;)
        {
            _cancel.ThrowIfCancellationRequested();
            int more = (int)Math.Min(_buffer.Length - held, to - at - held);
            text.Fill(stream, _buffer.AsSpan(held, more));
            Span<byte> block = _buffer.AsSpan(0, held + more);
            int nul = _isText ? block[held..].IndexOf((byte)0) : -1;
            if (nul >= 0)
            {
                NulAt = at + held + nul;
                return;
            }

            bool isLast = at + block.Length == to;
            validated = Validate(block, validated, isLast, at);
            if (_isText && IsNoUtf8(to - from))
            {
                return;
            }

            searched = Search(block, searched, isLast, at);

            // One byte more stays: a separator is looked at with what stands before it.
            int done = Math.Max(0, Math.Min(validated, searched) - 1);
            held = block.Length - done;
            _buffer.AsSpan(done, held).CopyTo(_buffer);
            at += done;
            validated -= done;
            searched -= done;
        }

        if (_begin < to)
        {
            Documents.Add((_begin, to));
        }
    }

    /// <summary>Whether too much of a text of so many bytes is not UTF-8.</summary>
    public bool IsNoUtf8(long bytes) => Invalid.Count > Math.Max(LargestInvalidCount, bytes * LargestInvalidShare);

    // Returns up to where the block was checked: to its end, or to the begin of a character that goes on in the next.
    private int Validate(ReadOnlySpan<byte> block, int from, bool isLast, long at)
    {
        int end = isLast ? block.Length : CharacterEnd(block);
        if (end <= from || Utf8.IsValid(block[from..end]))
        {
            return Math.Max(from, end);
        }

        for (int i = from; i < end;)
        {
            bool isValid = Rune.DecodeFromUtf8(block[i..end], out _, out int length) == OperationStatus.Done;
            if (!isValid)
            {
                Invalid = (Invalid.Count + length, Invalid.Count == 0 ? at + i : Invalid.First);
            }

            i += length;
        }

        return end;
    }

    private static int CharacterEnd(ReadOnlySpan<byte> block)
    {
        for (int back = 1; back <= Math.Min(3, block.Length); back++)
        {
            byte value = block[^back];
            if (value >= 0xC0)
            {
                int length = value >= 0xF0 ? 4 : value >= 0xE0 ? 3 : 2;
                return length > back ? block.Length - back : block.Length;
            }

            if (value < 0x80)
            {
                break;
            }
        }

        return block.Length;
    }

    // Returns up to where names and separators were looked for.
    private int Search(ReadOnlySpan<byte> block, int from, bool isLast, long at)
    {
        // A separator's line may end with two more bytes.
        int end = isLast ? block.Length : Math.Max(from, block.Length - _longest - 2);
        while (from < end)
        {
            int found = _separator is null ? block[from..].IndexOf((byte)'<') : block[from..].IndexOf(_separator);
            int place = from + found;
            if (found < 0 || place >= end)
            {
                return end;
            }

            from = _separator is null ? PassMark(block, place) : PassSeparator(block, place, at);
        }

        return from;
    }

    private int PassMark(ReadOnlySpan<byte> block, int place)
    {
        for (int i = 0; i < s_marks.Length; i++)
        {
            if (block[place..].StartsWith(s_marks[i]))
            {
                _markCounts[i]++;
                return place + s_marks[i].Length;
            }
        }

        return place + 1;
    }

    // A separator that is a line takes the line's end with it.
    private int PassSeparator(ReadOnlySpan<byte> block, int place, long at)
    {
        int next = place + _separator!.Length;
        if (at + place > _begin)
        {
            Documents.Add((_begin, at + place));
        }

        bool beginsLine = at + place == _begin || block[place - 1] == '\n';
        if (beginsLine)
        {
            next += block[next..].StartsWith("\n"u8) ? 1 : block[next..].StartsWith("\r\n"u8) ? 2 : 0;
        }

        Separators++;
        _begin = at + next;
        return next;
    }
}
