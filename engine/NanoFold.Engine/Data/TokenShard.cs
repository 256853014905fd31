using NanoFold.Kernels.Memory;

namespace NanoFold.Engine.Data;

/// <summary>
/// A file of tokens, mapped into memory: two bytes a token where the vocabulary allows it, otherwise four, with the
/// places where documents begin. Written by <see cref="TokenShardWriter"/>; the layout is in its header's comment.
/// </summary>
/// <remarks>
/// Nothing in the file is trusted: the header and the table of documents are checked when it is opened, the tokens when
/// they are read. What is wrong is an <see cref="UserException"/> that names the file.
/// </remarks>
public sealed class TokenShard : IDisposable
{
    // Table entries read at a time when they are checked.
    private const int CheckedAtOnce = 1 << 16;

    private readonly MappedFile _file;
    private readonly TokenShardHeader _header;

    /// <summary>Opens and checks the shard at <paramref name="path"/>.</summary>
    /// <exception cref="UserException">The file is missing, unreadable or damaged.</exception>
    public TokenShard(string path)
    {
        try
        {
            _file = new MappedFile(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserException($"{path}: cannot be read: {e.Message}", e);
        }

        string? problem = TokenShardHeader.TryRead(_file.Bytes(0, (int)Math.Min(TokenShardHeader.Size, _file.Length)), _file.Length, out _header)
            ?? DocumentsProblem();
        if (problem is not null)
        {
            _file.Dispose();
            throw new UserException($"{path}: {problem}");
        }
    }

    /// <summary>The file.</summary>
    public string Path => _file.Path;

    /// <summary>How many tokens there are.</summary>
    public long Tokens => _header.Tokens;

    /// <summary>Tokens are in [0, Vocab).</summary>
    public int Vocab => _header.Vocab;

    /// <summary>How many documents there are.</summary>
    public int Documents => (int)_header.Documents;

    /// <summary>Documents begin with a BOS token (but for one that was cut by the split).</summary>
    public bool Marked => _header.Marked;

    /// <summary>The length of the text that the tokens stand for.</summary>
    public long TextBytes => _header.TextBytes;

    /// <summary>Copies the tokens from <paramref name="start"/> on; allocates nothing.</summary>
    /// <exception cref="ArgumentOutOfRangeException">They are not all in the shard.</exception>
    /// <exception cref="UserException">A token is not in the vocabulary.</exception>
    public void Copy(long start, Span<int> tokens)
    {
        if (start < 0 || start > Tokens || tokens.Length > Tokens - start)
        {
            throw new ArgumentOutOfRangeException(nameof(start), $"{Path}: tokens {start} to {start + tokens.Length} are not among its {Tokens}");
        }

        long at = TokenShardHeader.Size + (start * _header.BytesPerToken);
        uint largest = 0;
        if (_header.BytesPerToken == sizeof(ushort))
        {
            ReadOnlySpan<ushort> stored = _file.Read<ushort>(at, tokens.Length);
            for (int i = 0; i < tokens.Length; i++)
            {
                tokens[i] = stored[i];
                largest = Math.Max(largest, stored[i]);
            }
        }
        else
        {
            ReadOnlySpan<uint> stored = _file.Read<uint>(at, tokens.Length);
            for (int i = 0; i < tokens.Length; i++)
            {
                tokens[i] = (int)stored[i];
                largest = Math.Max(largest, stored[i]);
            }
        }

        if (largest >= (uint)Vocab)
        {
            throw new UserException($"{Path}: is damaged: token {largest} is not in its vocabulary of {Vocab}");
        }
    }

    /// <summary>The place of the first token of a document.</summary>
    public long DocumentStart(int document) => _file.Read<long>(_header.DocumentsAt + ((long)document * sizeof(long)), 1)[0];

    /// <summary>The document that the token at <paramref name="position"/> belongs to.</summary>
    public int DocumentAt(long position)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(position);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(position, Tokens);
        int low = 0;
        int high = Documents;
        while (high - low > 1)
        {
            int middle = low + ((high - low) / 2);
            (low, high) = DocumentStart(middle) <= position ? (middle, high) : (low, middle);
        }

        return low;
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => _file.Dispose();

    private string? DocumentsProblem()
    {
        long before = -1;
        for (int first = 0; first < Documents; first += CheckedAtOnce)
        {
            int count = Math.Min(CheckedAtOnce, Documents - first);
            foreach (long start in _file.Read<long>(_header.DocumentsAt + ((long)first * sizeof(long)), count))
            {
                // The first begins at 0, each after the one before it, all inside.
                if (start <= before || start >= Tokens || (before < 0 && start != 0))
                {
                    return $"is damaged: a document begins at {start}";
                }

                before = start;
            }
        }

        return null;
    }
}
