using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace NanoFold.Engine.Data;

/// <summary>
/// A file of tokens, read in place: two bytes a token where the vocabulary allows it, otherwise four, with the
/// places where documents begin. Written by <see cref="TokenShardWriter"/>; the layout is in its header's comment.
/// </summary>
/// <remarks>
/// Nothing in the file is trusted: the header and the table of documents are checked when it is opened, the tokens when
/// they are read. What is wrong is an <see cref="UserException"/> that names the file. The file is read, not mapped: one
/// that is cut short by someone else is then an error like any other, where a mapping would end the process.
/// </remarks>
public sealed class TokenShard : IDisposable
{
    // The token cache looks at all of an entry when it opens one.
    private const string Remedy = "start again or --resume, and it is made anew";

    private readonly SafeFileHandle _file;
    private readonly TokenShardHeader _header;
    private readonly long[] _documents;

    /// <summary>Opens and checks the shard at <paramref name="path"/>.</summary>
    /// <exception cref="UserException">The file is missing, unreadable or damaged.</exception>
    public TokenShard(string path)
    {
        Path = path;
        try
        {
            _file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, FileOptions.RandomAccess);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserException($"{path}: cannot be read: {e.Message}", e);
        }

        try
        {
            long length = RandomAccess.GetLength(_file);
            Span<byte> start = stackalloc byte[(int)Math.Min(TokenShardHeader.Size, length)];
            Read(0, start);
            Require(TokenShardHeader.TryRead(start, length, out _header));
            _documents = new long[_header.Documents];
            Read(_header.DocumentsAt, MemoryMarshal.AsBytes(_documents.AsSpan()));
            Require(DocumentsProblem());
        }
        catch
        {
            _file.Dispose();
            throw;
        }
    }

    /// <summary>The file.</summary>
    public string Path { get; }

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

        Span<byte> bytes = MemoryMarshal.AsBytes(tokens);
        uint largest = 0;
        if (_header.BytesPerToken == sizeof(ushort))
        {
            // Read into the second half and widened from the front: what is written never passes what is still to be read.
            Span<byte> half = bytes[(bytes.Length / 2)..];
            Read(TokenShardHeader.Size + (start * sizeof(ushort)), half);
            Span<ushort> stored = MemoryMarshal.Cast<byte, ushort>(half);
            for (int i = 0; i < tokens.Length; i++)
            {
                uint token = stored[i];
                tokens[i] = (int)token;
                largest = Math.Max(largest, token);
            }
        }
        else
        {
            Read(TokenShardHeader.Size + (start * sizeof(uint)), bytes);
            foreach (int token in tokens)
            {
                largest = Math.Max(largest, (uint)token);
            }
        }

        if (largest >= (uint)Vocab)
        {
            throw new UserException($"{Path}: is damaged: token {largest} is not in its vocabulary of {Vocab}; {Remedy}");
        }
    }

    /// <summary>The place of the first token of a document.</summary>
    public long DocumentStart(int document) => _documents[document];

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
        foreach (long start in _documents)
        {
            // The first begins at 0, each after the one before it, all inside.
            if (start <= before || start >= Tokens || (before < 0 && start != 0))
            {
                return $"is damaged: a document begins at {start}";
            }

            before = start;
        }

        return null;
    }

    private void Require(string? problem)
    {
        if (problem is not null)
        {
            throw new UserException($"{Path}: {problem}");
        }
    }

    private void Read(long offset, Span<byte> bytes)
    {
        try
        {
            while (!bytes.IsEmpty)
            {
                int read = RandomAccess.Read(_file, bytes, offset);
                if (read == 0)
                {
                    throw new UserException($"{Path}: became shorter while it was in use; {Remedy}");
                }

                offset += read;
                bytes = bytes[read..];
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserException($"{Path}: cannot be read: {e.Message}", e);
        }
    }
}
